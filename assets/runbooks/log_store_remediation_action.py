# Puts the store of a trail's log into its declared state, the key first and then each bucket: looks, changes what differs, looks again,
# tells people.
#
# This is the script of the runbook log-store-remediation-action. What cloudtrail_remediation_action.py says of scripts holds for it, too.
# It deletes nothing, and makes nothing anew: an empty bucket in the place of one that is gone would look as if no log were missing.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
import ast
import json
import re
import time

import boto3
from botocore.config import Config

# What people can do where AWS refuses to put a setting back, by a word of the error.
MENDS = {
    'NoSuchBucket': 'The bucket is gone with its log: create it in this account before somebody else does.',
    'NotFoundException': 'The key is gone with what it encrypts: deploy another.',
    'Denied': 'Allow it to the role. The root user can delete a bucket policy, AWS Support replace a key policy.',
    'rincipal': 'The policy names who is gone: deploy without.',
}

# The payload; what the latest look found wrong, and what any look did, by setting; the calls that changed something.
want, wrong, changed, writes = {}, {}, {}, []


def handler(events, context):
    want.update(events)
    deadline, refusals = time.time() + 300, 0
    while refusals < 5 and time.time() < deadline:
        before = len(writes)
        wrong.clear()
        for service, ids, settings in ast.literal_eval(want['Declared']):
            for one in ids:
                names = dict(KeyId=one) if service == 'kms' else dict(Bucket=one, ExpectedBucketOwner=want['Account'])
                for setting, value in settings.items():
                    restore(client(service), setting, value, one, names)
        if not wrong:
            break
        refusals = 0 if len(writes) > before else refusals + 1
        time.sleep(2 ** refusals)
    report = dict(wrong=wrong, writes=writes, startedBy=want['StartedBy'], message='', changed=changed)
    if changed or wrong:
        tell(report)
    # Automation takes no more than 100 kB of an output, and keeps the beginning of a failure's text.
    text = json.dumps(report)[:90000]
    if wrong:
        raise RuntimeError(text)
    return dict(Report=text)


# Asks AWS. The answer is {} where what is asked for is not there, and None where AWS refuses, or cannot be reached: that is noted, and
# the rest goes on.
def ask(part, api, operation, **arguments):
    try:
        answer = getattr(api, operation)(**arguments)
    except Exception as error:
        if re.search(r'\((NoSuch\w*(Policy|Configuration)|\w+NotFoundError)\)', str(error)):
            return {}
        wrong[part] = str(error)
        return None
    if operation[:3] not in ('get', 'des'):
        writes.append(operation)
    return answer


# A setting is named as the two operations that get and put it, or as both without get_ and put_. Its value is what they show and take
# besides the names. What may not be read is written: whoever hides it from the guard has changed it.
def restore(api, setting, value, one, names):
    get, put = setting.split() if ' ' in setting else ('get_' + setting, 'put_' + setting)
    (member, declared), = value.items()
    part = member + ' of ' + one
    if setting == 'key_policy':
        names = dict(names, PolicyName='default')
    answer = ask(part, api, get, **names)
    if answer is None and 'Denied' not in wrong[part]:
        return
    found = (answer or {}).get(member) or answer or {}
    if member == 'Policy':
        found, value = found and json.loads(found), dict(Policy=json.dumps(declared))
    elif isinstance(declared, dict):
        found = {key: found.get(key) for key in declared}
    if meaning(found) == meaning(declared):
        return
    wrong[part] = 'changed again'
    changed.setdefault(part, f'found {json.dumps(found, default=str)}, declared {json.dumps(declared)}')
    # A deletion that is cancelled leaves the key disabled.
    if 'PendingDeletion' in str(found) and ask(part, api, 'cancel_key_deletion', **names) is None:
        return
    ask(part, api, put, **names, **(value if put[:3] == 'put' else {}))
    # Ownership is refused while an access control list lets others in.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html
    if 'InvalidBucketAcl' in wrong[part]:
        ask(part, api, 'put_bucket_acl', **names, ACL='private')


# Tells people what was done, and could not be done. A message that cannot be sent never fails a repair.
def tell(report):
    subject = 'NOT ' * bool(wrong) + 'REPAIRED: log store of ' + want['Name']
    lines = [subject, *(part + ': ' + text for part, text in changed.items())]
    for part, error in wrong.items():
        lines.append(' '.join(['LEFT:', part + ':', error, *(MENDS[word] for word in MENDS if word in error)]))
    text = report['message'] = '\n'.join(lines + [f'Started by {want["StartedBy"]}: {want["Execution"]}'])
    try:
        client('sns').publish(TopicArn=want['AlertTopicArn'], Subject=subject[:99], Message=text[:99999])
    except Exception as error:
        report['notTold'] = str(error)
    # Only with CentralEventBusArn: the event bus takes the same, of at most 256 kB, of which a character may be six.
    detail = json.dumps(dict(subject=subject, message=text[:40000], trail=want['Name']))
    entry = dict(EventBusName=want['CentralEventBusArn'], Source='trailguard', DetailType='TrailGuard Repair', Detail=detail)
    try:
        answer = client('events').put_events(Entries=[entry])
        if answer['FailedEntryCount']:
            report['notToldCentrally'] = str(answer['Entries'])
    except Exception as error:
        report['notToldCentrally'] = str(error)


# What a setting means, without order: a single value is a list of one, the id of an account is its root user in a principal, and
# nothing is no value. The ids of lifecycle rules are S3's. A filter says the same in the rule itself.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
def meaning(value, name=''):
    if isinstance(value, dict):
        for inner in ('Filter', 'And'):
            value = {**value, **(value.get(inner) or {}), inner: ''}
        return frozenset((key, one) for key in value if key not in ('ID', 'BlockedEncryptionTypes') and (one := meaning(value[key], key)))
    if isinstance(value, list):
        several = {meaning(one, name) for one in value}
        return several.pop() if len(several) == 1 else frozenset(several)
    if name == 'AWS':
        value = re.sub(r'^arn:[^:]+:iam::(\d+):root$', r'\1', value)
    return str(value or '')


def client(service):
    return boto3.client(service, config=Config(retries=dict(mode='standard', max_attempts=3), connect_timeout=5, read_timeout=10))
