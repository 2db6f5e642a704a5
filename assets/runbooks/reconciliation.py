# Puts a resource into its declared state: looks at it, changes what differs, looks again, tells people.
#
# This is what the scripts of the runbooks have in common. The part of one resource follows it, or the parts of several, of which an execution
# restores the one that the InputPayload names as its Resource. The InputPayload is the declared state, too; what it lacks is nothing: ''.
# A script runs once in a process, so its state is the module's. The deployed script has no comments and is indented by single spaces: so a
# comment has a line of its own, and no text goes over several lines. Two braces in a row are a variable to Automation, in here too.
# A paragraph that begins with a comment "Only with" a value of InputPayload is deployed only if that is declared.
# The boto3 of Automation is older than today's: only operations and parameters of long standing are used.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
import json
import re
import time
from collections import defaultdict
from functools import cache

import boto3
from botocore.config import Config

# What people can do where AWS refuses to put something back, by a word of what is wrong or of the error.
MENDS = {'(AccessDenied': 'Allow it to the role: policy, boundary, SCPs.'}
# Errors that say that what was asked for is not there.
ABSENT = r'\((NoSuch\w*(Policy|Configuration)|\w+NotFoundError|InsightNotEnabledException)\)'
# Errors that say nothing of what was asked, or that another run was faster: it is asked again until the deadline.
PASSING = 'Conflict|InternalFailure|ServiceUnavailable|Throttling|AlreadyExists|TrailNotFound|NoSuchRemediation'

# For each Resource a function that looks at it and changes what differs, and one whose lines people are told besides.
RESOURCES = {}
# The declared state; what the latest look found wrong; what any look found, by setting; the calls that changed something.
want, wrong, changed, writes = defaultdict(str), {}, {}, []


# Looks, and changes what differs, until a look finds all as declared: what is done to a trail while it does not log sends no event. Gives
# up after five minutes, as Automation ends a script after ten, and where five looks in a row met nothing but refusals.
def handler(events, context):
    want.update(events)
    look, notes = RESOURCES[want['Resource']]
    deadline, refusals, pause = time.time() + 300, 0, 2
    while refusals < 5 and time.time() < deadline:
        before = len(writes)
        wrong.clear()
        look()
        # No call mends a delivery.
        if wrong.keys() <= {'delivery'}:
            break
        written = len(writes) > before
        refusals = 0 if written or passing() else refusals + 1
        pause = 2 if written else min(2 * pause, 30)
        time.sleep(pause)
    # Automation takes no more than 100 kB of an output, and keeps the beginning of a failure's text: what is long comes last.
    report = dict(wrong=wrong, writes=writes, startedBy=want['StartedBy'], message='', changed=changed)
    if changed or wrong:
        tell(report, notes)
    text = json.dumps(report, default=str)[:90000]
    if wrong:
        raise RuntimeError(text)
    return dict(Report=text)


def passing():
    return re.search(PASSING, str(wrong))


# Asks AWS. The answer is {} where what is asked for is not there, and None where AWS refuses, or cannot be reached: that is noted, and the
# rest goes on.
def ask(part, operation, service='cloudtrail', **arguments):
    try:
        answer = getattr(client(service), operation)(**arguments)
    except Exception as error:
        if re.search(ABSENT, str(error)):
            return {}
        wrong[part] = str(error)
        return None
    if operation[:3] not in ('get', 'lis', 'des'):
        writes.append(operation)
    return answer


@cache
def client(service):
    return boto3.client(service, config=Config(retries=dict(mode='standard', max_attempts=3), connect_timeout=5, read_timeout=10))


def differs(part, setting, found, declared):
    wrong[part] = 'changed again'
    changed.setdefault(setting, dict(found=found, declared=declared))


# A setting is named as the two operations that get and put it, or as both without get_ and put_. Its value is what they show and take
# besides the names. What may not be read is written once: whoever hides it from the guard has changed it.
def restore(service, setting, value, names, of=''):
    get, put = setting.split() if ' ' in setting else ('get_' + setting, 'put_' + setting)
    (member, declared), = value.items()
    part = member + of
    if setting == 'key_policy':
        names = dict(names, PolicyName='default')
    answer = ask(part, get, service, **names)
    if answer is None and ('Denied' not in wrong[part] or part in changed):
        return
    answer = answer or {}
    found = answer.get(member, answer) or type(declared)()
    if member == 'Policy':
        found, value = found and json.loads(found), dict(Policy=json.dumps(declared))
    elif isinstance(declared, dict):
        found = {key: found.get(key) for key in declared}
    if meaning(found) == meaning(declared):
        return
    differs(part, part, found, declared)
    # A deletion that is cancelled leaves the key disabled.
    if 'PendingDeletion' in str(found) and ask(part, 'cancel_key_deletion', service, **names) is None:
        return
    ask(part, put, service, **names, **(value if put[:3] == 'put' else {}))
    # Ownership is refused while an access control list lets others in.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html
    if 'InvalidBucketAcl' in wrong[part]:
        ask(part, 'put_bucket_acl', service, **names, ACL='private')


# What a setting means, without order: a single value is a list of one, the id of an account is its root user in a principal, and
# nothing is no value. The ids of lifecycle rules are S3's. A filter says the same in the rule itself. Insights are of management events if they name none.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
def meaning(value, name=''):
    if isinstance(value, dict):
        for inner in ('Filter', 'And'):
            value = {**value, **(value.get(inner) or {}), inner: ''}
        said = {(key, one) for key in value if key not in ('ID', 'BlockedEncryptionTypes') and (one := meaning(value[key], key))}
        return frozenset(said - {('EventCategories', 'Management')})
    if isinstance(value, list):
        several = {meaning(one, name) for one in value}
        return several.pop() if len(several) == 1 else frozenset(several)
    if name == 'AWS':
        value = re.sub(r'^arn:[^:]+:iam::(\d+):root$', r'\1', value)
    return str(value or '')


# Tells people what was done, and could not be done. A message that cannot be sent never fails a repair.
def tell(report, notes):
    subject = 'NOT ' * bool(wrong) + 'REPAIRED: ' + want['Resource'] + ' ' + want['Name']
    lines = [subject]
    for setting, one in changed.items():
        lines.append(setting + ': ' + ', '.join(key + ' ' + json.dumps(one[key], default=str) for key in one))
    for part, error in wrong.items():
        lines.append(' '.join(['LEFT:', part + ':', error, *(MENDS[word] for word in MENDS if word in part + error)]))
    text = report['message'] = '\n'.join([*lines, *notes(), 'Account {Account}, started by {StartedBy}: {Execution}'.format(**want)])
    try:
        if want['AlertTopicArn']:
            client('sns').publish(TopicArn=want['AlertTopicArn'], Subject=subject[:99], Message=text[:99999])
    except Exception as error:
        report['notTold'] = str(error)
    # Only with CentralEventBusArn: the event bus takes the same, of at most 256 kB, of which a character may be six.
    detail = json.dumps(dict(subject=subject, message=text[:40000], trail=want['Name']))
    entry = dict(EventBusName=want['CentralEventBusArn'], Source='trailguard', DetailType='TrailGuard Repair', Detail=detail)
    try:
        if entry['EventBusName']:
            answer = client('events').put_events(Entries=[entry])
            if answer['FailedEntryCount']:
                report['notToldCentrally'] = str(answer['Entries'])
    except Exception as error:
        report['notToldCentrally'] = str(error)
