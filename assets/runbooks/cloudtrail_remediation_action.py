# The part of reconciliation.py that puts one CloudTrail trail into its declared state: what looks at it, and what the runbook
# cloudtrail-remediation-action has besides.

RESTORE = 'Restore it and its policy.'
MENDS.update({
    'MaximumNumber': 'A Region has at most five trails: delete one.',
    'bucket': RESTORE,
    'key': 'Enable it, cancel its deletion, restore its policy.',
    'SNS': RESTORE,
    'CloudWatch Logs': RESTORE,
    'organization': 'Turn on trusted access of CloudTrail.',
})

# The settings, by part: their names for UpdateTrail and in InputPayload. The settings of a part are written together. A setting that is
# not declared is '', and is cleared by that.
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
PARTS = {
    'bucket': ['S3BucketName', 'S3KeyPrefix'],
    'key': ['KmsKeyId'],
    'coverage': ['EnableLogFileValidation', 'IsMultiRegionTrail', 'IncludeGlobalServiceEvents'],
    'SNS': ['SnsTopicName'],
    'CloudWatch Logs': ['CloudWatchLogsLogGroupArn', 'CloudWatchLogsRoleArn'],
    'organization': ['IsOrganizationTrail'],
}
# The settings that GetTrail shows under another name.
SHOWN = dict(EnableLogFileValidation='LogFileValidationEnabled', SnsTopicName='SnsTopicARN')
# UpdateTrail is all or nothing. These parts are written in one call, and each by itself if that is refused. The others are
# always written by themselves: a topic that is gone must not keep the bucket from being restored.
TOGETHER = ['bucket', 'key', 'coverage']
# With these parts a trail is made that AWS refuses with more.
LEAST = ['bucket']

# What finds the trail; its latest status; from when to when nothing was logged.
name, status, dark = {}, {}, {}


def look_at_trail():
    name.update(Name=want['Name'])
    # Only with TrailArn: a trail of another account is found by its ARN, and is made as its organization's.
    if want['TrailArn']:
        name.update(Name=want['TrailArn'])
        LEAST[1:] = ['organization']

    logging()
    selectors()
    settings()
    # What Insights analyze must be logged, so they come after the selectors.
    restore('cloudtrail', 'insight_selectors', dict(InsightSelectors=want['InsightSelectors'] or []), dict(TrailName=name['Name']))
    # Only with TagsList: they are asked for.
    tags()

    # Only with ConfigRuleNames: they are asked for.
    arm_config()


def logging():
    answer = ask('logging', 'get_trail_status', **name)
    if answer:
        status.update(answer)
        if not answer['IsLogging']:
            start(answer.get('StopLoggingTime'))
        # What this run has changed may be why. A digest comes each hour, and so does the run that restores the log store.
        for kind in ('Latest', 'LatestDigest') if not changed else ():
            latest = answer.get(kind + 'DeliveryTime')
            if answer.get(kind + 'DeliveryError') and not (latest and time.time() - latest.timestamp() < 7200):
                wrong['delivery'] = f'none to the bucket, with the key, since {latest}:'
    elif 'TrailNotFound' in wrong['logging']:
        del wrong['logging']
        create()


# A trail that AWS refuses with its key, or as an organization's, is made without: it logs, and the rest follows.
def create():
    differs('trail', 'Trail', None, want['Name'])
    for parts in TOGETHER + ['organization'], LEAST:
        given = {key: want[key] for part in parts for key in PARTS[part] if want[key]}
        if ask('trail', 'create_trail', Name=want['Name'], **given):
            return start()
        if passing():
            return


def start(since=None):
    differs('logging', 'IsLogging', False, True)
    dark.setdefault('since', str(since or 'unknown')[:19])
    if ask('logging', 'start_logging', **name):
        dark['until'] = time.strftime('%F %T', time.gmtime(time.time()))


# While the selectors leave write events out, no event tells of further tampering.
def selectors():
    part, kind = 'event selectors', 'AdvancedEventSelectors'
    answer = ask(part, 'get_event_selectors', TrailName=name['Name'])
    if answer:
        found = answer.get(kind) or answer['EventSelectors']
        kind = kind if want[kind] else 'EventSelectors'
        if conditions(found) != conditions(want[kind]):
            differs(part, 'EventSelectors', found, want[kind])
            ask(part, 'put_event_selectors', TrailName=name['Name'], **{kind: want[kind]})


def settings():
    answer = ask('settings', 'get_trail', **name)
    if not answer:
        return
    trail, different = answer['Trail'], {}
    status.update(TrailARN=trail['TrailARN'])
    for part, keys in PARTS.items():
        declared = {key: want[key] for key in keys}
        for key in keys:
            found = trail.get(SHOWN.get(key, key), '')
            # An organization's trail is never made an account's: that would take it from every member account.
            if (found or '') != (want[key] or '') and (part != 'organization' or want[key]):
                differs(part, key, found, want[key])
                different[part] = declared
    update = {key: value for part in TOGETHER for key, value in different.get(part, {}).items()}
    if update and ask('settings', 'update_trail', **name, **update):
        for part in TOGETHER:
            different.pop(part, None)
    wrong.pop('settings', None)
    for part, update in different.items():
        ask(part, 'update_trail', **name, **update)


# Only with TagsList: tags that are not declared are somebody else's.
def tags():
    declared, arn = want['TagsList'], status.get('TrailARN')
    answer = declared and arn and ask('tags', 'list_tags', ResourceIdList=[arn])
    found = answer['ResourceTagList'][0]['TagsList'] if answer else declared
    if any(tag not in found for tag in declared):
        differs('tags', 'Tags', found, declared)
        ask('tags', 'add_tags', ResourceId=arn, TagsList=declared)


# Only with ConfigRuleNames: Config sees no change while its recorder is stopped, and stops remediating what it failed to remediate, and what
# anyone exempts. The next look sees what follows on a page.
# https://docs.aws.amazon.com/config/latest/APIReference/API_DeleteRemediationExceptions.html
def arm_config():
    answer = want['ConfigRuleNames'] and ask('recorder', 'describe_configuration_recorder_status', 'config')
    for one in answer['ConfigurationRecordersStatus'] if answer else []:
        if not one['recording']:
            differs('recorder', 'recorder ' + one['name'], 'stopped', 'recording')
            ask('recorder', 'start_configuration_recorder', 'config', ConfigurationRecorderName=one['name'])
    for rule in want['ConfigRuleNames']:
        answer = ask(rule, 'describe_remediation_exceptions', 'config', ConfigRuleName=rule)
        keys = [{key: one[key] for key in ('ResourceType', 'ResourceId')} for one in answer['RemediationExceptions']] if answer else []
        deleted = keys and ask(rule, 'delete_remediation_exceptions', 'config', ConfigRuleName=rule, ResourceKeys=keys)
        if deleted:
            differs(rule, rule, 'exempted', 'remediated')
            wrong[rule] = str(deleted.get('FailedBatches') or wrong[rule])


def trail_notes():
    if dark:
        yield 'Nothing was logged from {since} to {until}'.format(**{'until': 'now', **dark})
    for key in status:
        if 'Error' in key:
            yield f'{key}: {status[key]}'
    # A renamed trail leaves the old one behind, and a full Region keeps a deleted one from being made again.
    for one in (ask('trails', 'describe_trails') or {}).get('trailList', []):
        if one['Name'] != want['Name']:
            yield 'Trail {Name} writes to {S3BucketName}'.format(**one)
    wrong.pop('trails', None)


# What selectors mean, without order, names and defaults: each as its conditions.
def conditions(selectors):
    return {frozenset(one) for selector in selectors for one in advanced(selector)}


# A basic selector is what the advanced ones are that it stands for.
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
def advanced(one):
    if 'FieldSelectors' in one:
        return [[f'{field["Field"]} {key} {value}' for field in one['FieldSelectors'] for key in field if key != 'Field' for value in field[key]]]
    meant, only = [], dict(ReadOnly=['readOnly Equals true'], WriteOnly=['readOnly Equals false']).get(one.get('ReadWriteType'), [])
    if one.get('IncludeManagementEvents', True):
        excluded = ['eventSource NotEquals ' + source for source in one.get('ExcludeManagementEventSources', [])]
        meant.append(['eventCategory Equals Management', *only, *excluded])
    for data in one.get('DataResources', []):
        kind, arns = data['Type'], data.get('Values')
        which = ['resources.ARN ' + ('StartsWith ' if 'S3' in kind else 'Equals ') + arn for arn in arns or []]
        # arn:aws:s3 stands for every object. No value stands for none.
        if any(arn.strip(':').count(':') < 3 for arn in arns or []):
            which = []
        if arns:
            meant.append(['eventCategory Equals Data', 'resources.type Equals ' + kind, *only, *which])
    return meant


RESOURCES['CloudTrail trail'] = look_at_trail, trail_notes
