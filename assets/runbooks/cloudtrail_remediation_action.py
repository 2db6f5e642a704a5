# Puts one CloudTrail trail into its declared state: looks at the trail, changes what differs, looks again, tells people.
#
# This is the script of the runbook cloudtrail-remediation-action, whose InputPayload is the declared state. A script runs once
# in a process, so its state is the module's. The deployed script has no comments and is indented by single spaces: so a
# comment has a line of its own, and no text goes over several lines. Two braces in a row are a variable to Automation, in here
# too. A paragraph that begins with a comment "Only with" a value of InputPayload is deployed only if that is declared.
# The boto3 of Automation is older than today's: only operations and parameters of long standing are used.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
import json
import time

import boto3
from botocore.config import Config

# The settings, one a line: its name for UpdateTrail and in InputPayload, and its part. The settings of a part are written
# together. A setting that is not set is '' or False, and is cleared by that.
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
SETTINGS = dict(
    S3BucketName='bucket',
    S3KeyPrefix='bucket',
    KmsKeyId='key',
    EnableLogFileValidation='coverage',
    IsMultiRegionTrail='coverage',
    IncludeGlobalServiceEvents='coverage',
    SnsTopicName='SNS',
    CloudWatchLogsLogGroupArn='CloudWatch Logs',
    CloudWatchLogsRoleArn='CloudWatch Logs',
    IsOrganizationTrail='organization',
)
# The settings that GetTrail shows under another name.
SHOWN = dict(EnableLogFileValidation='LogFileValidationEnabled', SnsTopicName='SnsTopicARN')
# UpdateTrail is all or nothing. These parts are written in one call, and each by itself if that is refused. The others are
# always written by themselves: a topic that is gone must not keep the bucket from being restored.
TOGETHER = ('bucket', 'key', 'coverage')

# What people can do where AWS refuses to put a part back, by a word of the part or the error.
MENDS = {
    'Denied': 'Allow it to the role: policy, boundary, SCPs.',
    'MaximumNumber': 'A Region has at most five trails: delete one.',
    'bucket': 'Restore the bucket and its policy.',
    'key': 'Enable the key, cancel its deletion, restore its policy.',
    'SNS': 'Restore the topic and its policy.',
    'CloudWatch Logs': 'Restore the log group, role and policy.',
    'organization': 'Turn on trusted access of CloudTrail.',
}

# Errors that say nothing of what was asked, or that another run was faster: it is asked again until the deadline.
PASSING = ('Conflict', 'InternalFailure', 'ServiceUnavailable', 'Throttling', 'AlreadyExists', 'TrailNotFound', 'NoSuchRemediation')

# The declared state; the trail's name; its latest status and its ARN; what the latest look found wrong, by part.
want, name, status, wrong = {}, {}, {}, {}
# What was done: the settings that were found wrong, the calls that changed something, the rules whose exceptions were deleted,
# from when to when nothing was logged.
changed, writes, armed, dark = {}, [], [], {}


def handler(events, context):
    want.update(events)
    name.update(Name=want['Name'])
    reconcile()
    # Automation takes no more than 100 kB of an output, and keeps the beginning of a failure's text: what is long comes last.
    report = dict(wrong=wrong, writes=writes, armed=armed, dark=dark, startedBy=want['StartedBy'], message='', changed=changed)
    if changed or wrong or armed:
        tell(report)
    text = json.dumps(report, default=str)[:90000]
    if wrong:
        raise RuntimeError(text)
    return dict(Report=text)


# Looks, and changes what differs, until a look finds all as declared: what is done to a trail while it does not log sends no
# event. Gives up after five minutes, as Automation ends a script after ten, and where five looks in a row met nothing but
# refusals.
def reconcile():
    deadline, refusals, pause = time.time() + 300, 0, 2
    while refusals < 5 and time.time() < deadline:
        before = len(writes)
        wrong.clear()
        logging()
        selectors()
        settings()
        insights()
        tags()
        arm_config()
        if not wrong:
            return
        written = len(writes) > before
        refusals = 0 if written or passing() else refusals + 1
        pause = 2 if written else min(2 * pause, 30)
        time.sleep(pause)


def passing():
    return any(code in str(wrong) for code in PASSING)


# Asks CloudTrail. The answer is {} where what is asked for is missing, and None where AWS refuses, or cannot be reached: that
# is noted, and the rest goes on.
def ask(part, operation, missing='', **arguments):
    # Only with TrailArn: a trail of another account is found by its ARN, and is made as its organization's.
    if want['TrailArn'] and operation == 'create_trail':
        arguments.update(IsOrganizationTrail=True)
    elif want['TrailArn']:
        arguments.update((key, want['TrailArn']) for key in ('Name', 'TrailName') if key in arguments)

    try:
        answer = getattr(cloudtrail, operation)(**arguments)
    except Exception as error:
        if missing and missing in str(error):
            return {}
        wrong[part] = str(error)
        return None
    if operation[:3] not in ('get', 'lis', 'des'):
        writes.append(operation)
    return answer


def differs(part, setting, found, declared):
    wrong[part] = 'changed again'
    changed.setdefault(setting, dict(found=found, declared=declared))


def logging():
    answer = ask('logging', 'get_trail_status', 'TrailNotFoundException', **name)
    if answer == {}:
        create()
    elif answer:
        status.update(answer)
        if not answer['IsLogging']:
            dark.setdefault('since', answer.get('StopLoggingTime'))
            start()


# A trail that AWS refuses with its key, or as an organization's, is made without: it logs, and the rest follows.
def create():
    differs('trail', 'Trail', None, want['Name'])
    for parts in TOGETHER + ('organization',), ('bucket',):
        given = {key: want[key] for key, part in SETTINGS.items() if part in parts and want[key]}
        if ask('trail', 'create_trail', **name, **given):
            return start()
        if passing():
            return


def start():
    differs('logging', 'IsLogging', False, True)
    if ask('logging', 'start_logging', **name):
        dark['until'] = time.strftime('%F %T', time.gmtime(time.time()))


# While the selectors leave write events out, no event tells of further tampering.
def selectors():
    part, kind = 'event selectors', 'AdvancedEventSelectors'
    answer = ask(part, 'get_event_selectors', TrailName=want['Name'])
    if answer:
        found = answer.get(kind) or answer['EventSelectors']
        kind = kind if want[kind] else 'EventSelectors'
        if meaning(found) != meaning(want[kind]):
            differs(part, 'EventSelectors', found, want[kind])
            ask(part, 'put_event_selectors', TrailName=want['Name'], **{kind: want[kind]})


def settings():
    answer = ask('settings', 'get_trail', **name)
    if not answer:
        return
    trail, parts, different = answer['Trail'], {}, {}
    status.update(TrailARN=trail['TrailARN'])
    for key, part in SETTINGS.items():
        found = trail.get(SHOWN.get(key, key), type(want[key])())
        parts.setdefault(part, {})[key] = want[key]
        # An organization's trail is never made an account's: that would take it from every member account.
        if found != want[key] and (part != 'organization' or want[key]):
            differs(part, key, found, want[key])
            different[part] = parts[part]
    update = dict(item for part in TOGETHER for item in different.get(part, {}).items())
    if update and ask('settings', 'update_trail', **name, **update):
        for part in TOGETHER:
            different.pop(part, None)
    wrong.pop('settings', None)
    for part, update in different.items():
        ask(part, 'update_trail', **name, **update)


# What Insights analyze must be logged, so they come after the selectors.
def insights():
    answer = ask('Insights', 'get_insight_selectors', 'InsightNotEnabledException', TrailName=want['Name'])
    declared = want['InsightSelectors']
    found = declared if answer is None else answer.get('InsightSelectors', [])
    if kinds(found) != kinds(declared):
        differs('Insights', 'InsightSelectors', found, declared)
        ask('Insights', 'put_insight_selectors', TrailName=want['Name'], InsightSelectors=declared)


# Tags that are not declared are somebody else's.
def tags():
    declared, arn = want['TagsList'], status.get('TrailARN')
    answer = declared and arn and ask('tags', 'list_tags', ResourceIdList=[arn])
    found = answer['ResourceTagList'][0]['TagsList'] if answer else declared
    if any(tag not in found for tag in declared):
        differs('tags', 'Tags', found, declared)
        ask('tags', 'add_tags', ResourceId=arn, TagsList=declared)


# Config stops remediating what it failed to remediate, and what anyone exempts.
# https://docs.aws.amazon.com/config/latest/APIReference/API_DeleteRemediationExceptions.html
def arm_config():
    config = client('config')
    for rule in want['ConfigRuleNames']:
        page = dict(ConfigRuleName=rule)
        try:
            while page:
                answer = config.describe_remediation_exceptions(**page)
                for one in answer['RemediationExceptions']:
                    key = dict(ResourceType=one['ResourceType'], ResourceId=one['ResourceId'])
                    deleted = config.delete_remediation_exceptions(ConfigRuleName=rule, ResourceKeys=[key])
                    if deleted.get('FailedBatches'):
                        wrong[rule] = str(deleted['FailedBatches'])
                    armed.append(rule)
                page = answer.get('NextToken') and dict(page, NextToken=answer['NextToken'])
        except Exception as error:
            wrong[rule] = str(error)


# Tells people what was done, and could not be done. A message that cannot be sent never fails a repair.
def tell(report):
    subject = 'NOT ' * bool(wrong) + 'REPAIRED: CloudTrail trail ' + want['Name']
    try:
        text = report['message'] = '\n'.join([subject, *lines()])
        if want['AlertTopicArn']:
            client('sns').publish(TopicArn=want['AlertTopicArn'], Subject=subject[:99], Message=text[:99999])
    except Exception as error:
        report['notTold'] = str(error)
    # Only with CentralEventBusArn: the event bus takes the same, of at most 256 kB, of which a character may be six.
    detail = dict(subject=subject, message=report['message'][:40000], trail=want['Name'])
    entry = dict(EventBusName=want['CentralEventBusArn'], Source='trailguard', DetailType='TrailGuard Repair', Detail=json.dumps(detail))
    try:
        answer = entry['EventBusName'] and client('events').put_events(Entries=[entry])
        if answer and answer['FailedEntryCount']:
            report['notToldCentrally'] = str(answer['Entries'])
    except Exception as error:
        report['notToldCentrally'] = str(error)


def lines():
    for setting, one in changed.items():
        yield f'{setting}: found {json.dumps(one["found"])}, declared {json.dumps(one["declared"])}'
    for part, error in wrong.items():
        yield ' '.join([f'LEFT: {part}: {error}', *(MENDS[word] for word in MENDS if word in part + error)])
    for rule in armed:
        yield f'Config remediates again: an exception of {rule} was deleted'
    if 'IsLogging' in changed:
        since, until = (str(dark.get(key) or other)[:19] for key, other in (('since', 'unknown'), ('until', 'now')))
        yield f'Nothing was logged from {since} to {until}'
    for key in status:
        if 'Error' in key:
            yield f'{key}: {status[key]}'
    # A renamed trail leaves the old one behind, and a full Region keeps a deleted one from being made again.
    for one in (ask('trails', 'describe_trails') or {}).get('trailList', []):
        if one['Name'] != want['Name']:
            yield 'Trail {Name} writes to {S3BucketName}'.format(**one)
    wrong.pop('trails', None)
    yield f'{status.get("TrailARN")}, started by {want["StartedBy"]}: {want["Execution"]}'


def kinds(selectors):
    return sorted((one['InsightType'], one.get('EventCategories') or ['Management']) for one in selectors)


# What selectors mean, without order, names and defaults: a basic one as the advanced ones that it stands for, and each of those
# as its conditions: field, operator, value.
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
def meaning(selectors):
    meant = set()
    for one in selectors:
        for fields in [one['FieldSelectors']] if 'FieldSelectors' in one else advanced(one):
            meant.add(frozenset((field['Field'], key, value) for field in fields for key in field if key != 'Field' for value in field[key]))
    return meant


def advanced(basic):
    only = dict(Field='readOnly', Equals=dict(ReadOnly=['true'], WriteOnly=['false']).get(basic.get('ReadWriteType'), []))
    if basic.get('IncludeManagementEvents', True):
        excluded = dict(Field='eventSource', NotEquals=basic.get('ExcludeManagementEventSources', []))
        yield [dict(Field='eventCategory', Equals=['Management']), only, excluded]
    for one in basic.get('DataResources', []):
        kind, arns = one['Type'], one.get('Values', [])
        # arn:aws:s3 stands for every object. No value stands for none.
        every = any(arn.strip(':').count(':') < 3 for arn in arns)
        which = {'Field': 'resources.ARN', 'StartsWith' if 'S3' in kind else 'Equals': [] if every else arns}
        if arns:
            yield [dict(Field='eventCategory', Equals=['Data']), dict(Field='resources.type', Equals=[kind]), only, which]


def client(service):
    return boto3.client(service, config=Config(retries=dict(mode='standard', max_attempts=3), connect_timeout=5, read_timeout=10))


cloudtrail = client('cloudtrail')
