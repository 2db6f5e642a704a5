"""Tests the script by itself: what selectors mean, and what it writes in which order. The local AWS tests it with real clients."""

import datetime
import functools
import json
import os
import pathlib
import types
import unittest
from unittest import mock

from botocore.exceptions import ClientError

FOLDER = pathlib.Path(__file__).parent

WANT = dict(
    Name='trail', S3BucketName='bucket', S3KeyPrefix='', KmsKeyId='key', EnableLogFileValidation=True, IsMultiRegionTrail=True,
    IncludeGlobalServiceEvents=True, SnsTopicName='', CloudWatchLogsLogGroupArn='', CloudWatchLogsRoleArn='',
    IsOrganizationTrail=False, EventSelectors=[dict(ReadWriteType='All', IncludeManagementEvents=True)], AdvancedEventSelectors=[],
    InsightSelectors=[dict(InsightType='ApiCallRateInsight')], TagsList=[], ConfigRuleNames=[], AlertTopicArn='topic',
    TrailArn='', CentralEventBusArn='', Resource='CloudTrail trail', Account='123456789012', StartedBy='hand', Execution='link',
)


class CloudTrail:
    """A trail in memory, which refuses what it is told to refuse."""

    def __init__(self, refused=(), **trail):
        self.trail = dict(
            TrailARN='arn', S3BucketName='bucket', KmsKeyId='key', LogFileValidationEnabled=True, IsMultiRegionTrail=True,
            IncludeGlobalServiceEvents=True, IsOrganizationTrail=False,
        ) | trail
        self.exists, self.logging, self.refused, self.calls, self.status = True, True, refused, [], {}
        self.selectors, self.insights, self.tags = WANT['EventSelectors'], WANT['InsightSelectors'], []

    def refuse(self, operation, **arguments):
        for refused, code in self.refused:
            if refused in arguments or refused == operation:
                raise ClientError(dict(Error=dict(Code=code, Message='refused')), operation)

    def write(self, operation, **arguments):
        self.calls.append(operation)
        self.refuse(operation, **arguments)
        if not self.exists and operation != 'create_trail':
            raise ClientError(dict(Error=dict(Code='TrailNotFoundException', Message='gone')), operation)
        return dict(ResponseMetadata={})

    def get_trail_status(self, Name):
        if not self.exists:
            raise ClientError(dict(Error=dict(Code='TrailNotFoundException', Message='gone')), 'GetTrailStatus')
        return dict(IsLogging=self.logging, ResponseMetadata={}, **self.status)

    def get_trail(self, Name):
        self.get_trail_status(Name)
        return dict(Trail=self.trail)

    def get_event_selectors(self, TrailName):
        self.get_trail_status(TrailName)
        return dict(EventSelectors=self.selectors)

    def get_insight_selectors(self, TrailName):
        self.get_trail_status(TrailName)
        if not self.insights:
            raise ClientError(dict(Error=dict(Code='InsightNotEnabledException', Message='off')), 'GetInsightSelectors')
        return dict(InsightSelectors=self.insights)

    def list_tags(self, ResourceIdList):
        return dict(ResourceTagList=[dict(ResourceId='arn', TagsList=self.tags)])

    def describe_trails(self):
        self.refuse('describe_trails')
        return dict(trailList=[dict(Name='old', S3BucketName='bucket')])

    def create_trail(self, Name, **settings):
        answer = self.write('create_trail', **settings)
        self.exists, self.logging = True, False
        self.trail = dict(TrailARN='arn')
        return self.take(settings, answer)

    def start_logging(self, Name):
        answer = self.write('start_logging')
        self.logging = True
        return answer

    def update_trail(self, Name, **settings):
        return self.take(settings, self.write('update_trail', **settings))

    def put_event_selectors(self, TrailName, EventSelectors):
        answer = self.write('put_event_selectors')
        self.selectors = EventSelectors
        return answer

    def put_insight_selectors(self, TrailName, InsightSelectors):
        answer = self.write('put_insight_selectors')
        self.insights = InsightSelectors
        return answer

    def add_tags(self, ResourceId, TagsList):
        answer = self.write('add_tags')
        self.tags = TagsList
        return answer

    def take(self, settings, answer):
        for name, value in settings.items():
            self.trail[dict(EnableLogFileValidation='LogFileValidationEnabled', SnsTopicName='SnsTopicARN').get(name, name)] = value
        return answer


def script_of(*parts):
    """Returns the script of these parts as a fresh module, with a clock that sleeping moves."""
    os.environ['AWS_DEFAULT_REGION'] = 'us-east-1'
    script = types.ModuleType('script')
    for part in 'reconciliation', *parts:
        path = FOLDER / (part + '.py')
        exec(compile(path.read_text(), path, 'exec'), script.__dict__)
    now = [1_900_000_000.0]
    script.time = mock.Mock(wraps=script.time, time=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    return script


def load(cloudtrail):
    """Returns the script, and what it published."""
    script, sns = script_of('cloudtrail_remediation_action'), mock.Mock()
    sns.describe_configuration_recorder_status.return_value = dict(ConfigurationRecordersStatus=[])
    script.client = lambda service: cloudtrail if service == 'cloudtrail' else sns
    return script, sns.publish


def run(cloudtrail, **want):
    """Runs the script and returns its report, whether it failed, and the messages that people got."""
    script, publish = load(cloudtrail)
    try:
        report, failed = script.handler(WANT | want, None)['Report'], False
    except RuntimeError as error:
        report, failed = str(error), True
    return json.loads(report), failed, [call.kwargs for call in publish.call_args_list]


class Runs(unittest.TestCase):
    def test_a_trail_that_is_as_declared_is_only_read(self):
        cloudtrail = CloudTrail()
        report, failed, messages = run(cloudtrail)
        self.assertEqual((cloudtrail.calls, failed, messages, report['changed']), ([], False, [], {}))

    def test_a_stopped_trail_takes_one_write(self):
        cloudtrail = CloudTrail()
        cloudtrail.logging = False
        report, failed, messages = run(cloudtrail)
        self.assertEqual((cloudtrail.calls, failed, len(messages)), (['start_logging'], False, 1))
        self.assertEqual(messages[0]['Subject'], 'REPAIRED: CloudTrail trail trail')
        self.assertIn('IsLogging: found false, declared true', messages[0]['Message'])
        self.assertIn('Trail old writes to bucket', messages[0]['Message'])
        self.assertIn('started by hand: link', messages[0]['Message'])

    def test_a_deleted_trail_logs_after_two_writes(self):
        cloudtrail = CloudTrail()
        cloudtrail.exists, cloudtrail.insights = False, []
        _, failed, _ = run(cloudtrail)
        self.assertEqual((cloudtrail.calls, failed), (['create_trail', 'start_logging', 'put_insight_selectors'], False))

    def test_a_trail_that_is_refused_with_its_key_is_made_without_it(self):
        cloudtrail = CloudTrail(refused=[('KmsKeyId', 'KmsKeyDisabledException')])
        cloudtrail.exists = False
        report, failed, messages = run(cloudtrail)
        self.assertTrue(failed and cloudtrail.logging and cloudtrail.trail['IsMultiRegionTrail'])
        self.assertEqual(set(report['wrong']), {'key'})
        self.assertIn('NOT REPAIRED', messages[0]['Subject'])
        self.assertIn('KmsKeyDisabledException', messages[0]['Message'])
        self.assertIn('Enable it', messages[0]['Message'])

    def test_a_trail_that_is_in_conflict_is_made_whole_later(self):
        for code in 'ConflictException', 'ThrottlingException', 'TrailAlreadyExistsException':
            with self.subTest(code):
                cloudtrail = CloudTrail(refused=[('create_trail', code)])
                cloudtrail.exists = False
                create = cloudtrail.create_trail

                def refused_once(Name, **settings):
                    try:
                        return create(Name, **settings)
                    finally:
                        cloudtrail.refused = ()

                cloudtrail.create_trail = refused_once
                report, failed, _ = run(cloudtrail)
                self.assertEqual((cloudtrail.calls, failed, set(report['changed'])),
                                 (['create_trail', 'create_trail', 'start_logging'], False, {'Trail', 'IsLogging'}))

    def test_each_refusal_has_its_mend(self):
        for code, mend in (
            ('AccessDeniedException', 'Allow it to the role'), ('MaximumNumberOfTrailsExceededException', 'delete one'),
        ):
            with self.subTest(code):
                cloudtrail = CloudTrail(refused=[('create_trail', code)])
                cloudtrail.exists = False
                _, failed, messages = run(cloudtrail)
                left = [line for line in messages[0]['Message'].splitlines() if line.startswith('LEFT: trail: ')]
                self.assertTrue(failed)
                self.assertEqual([sum(mend in line for mend in ('Allow it', 'delete one', 'Restore', 'Enable', 'Turn on')) for line in left], [1])
                self.assertIn(mend, left[0])

    def test_times_that_are_not_known_are_called_so(self):
        cloudtrail = CloudTrail()
        cloudtrail.exists = False
        _, _, messages = run(cloudtrail)
        self.assertRegex(messages[0]['Message'], 'Nothing was logged from unknown to 20')
        cloudtrail = CloudTrail(refused=[('start_logging', 'RefusedException')])
        cloudtrail.logging = False
        _, _, messages = run(cloudtrail)
        self.assertIn('Nothing was logged from unknown to now', messages[0]['Message'])

    def test_a_failure_begins_with_what_is_left_wrong(self):
        script, _ = load(CloudTrail(refused=[('S3BucketName', 'RefusedException')], S3BucketName='other'))
        with self.assertRaises(RuntimeError) as raised:
            script.handler(dict(WANT), None)
        self.assertTrue(str(raised.exception).startswith('{"wrong": {"bucket": '))
        self.assertEqual(list(json.loads(str(raised.exception)))[-2:], ['message', 'changed'])

    def test_each_refused_part_leaves_the_rest_restored(self):
        weak = dict(S3BucketName='other', KmsKeyId='', IsMultiRegionTrail=False, SnsTopicARN='', IsOrganizationTrail=False)
        parts = dict(S3BucketName='bucket', KmsKeyId='key', IsMultiRegionTrail='coverage', SnsTopicName='SNS', IsOrganizationTrail='organization')
        for refused, part in parts.items():
            with self.subTest(part):
                cloudtrail = CloudTrail(refused=[(refused, 'RefusedException')], **weak)
                report, failed, _ = run(cloudtrail, SnsTopicName='topic', IsOrganizationTrail=True)
                self.assertTrue(failed)
                self.assertEqual(set(report['wrong']), {part})

    def test_errors_that_pass_are_asked_again_until_the_deadline(self):
        for code, least in ('ThrottlingException', 10), ('RefusedException', 5):
            with self.subTest(code):
                cloudtrail = CloudTrail(refused=[('start_logging', code)])
                cloudtrail.logging = False
                _, failed, messages = run(cloudtrail)
                self.assertTrue(failed)
                self.assertEqual(len(messages), 1)
                self.assertGreaterEqual(len(cloudtrail.calls), least)
                self.assertLess(len(cloudtrail.calls), 30)

    def test_a_message_that_cannot_be_sent_fails_nothing(self):
        cloudtrail = CloudTrail()
        cloudtrail.logging = False
        script, publish = load(cloudtrail)
        publish.side_effect = ClientError(dict(Error=dict(Code='NotFound', Message='no topic')), 'Publish')
        report = json.loads(script.handler(dict(WANT), None)['Report'])
        self.assertIn('no topic', report['notTold'])

    def test_an_event_bus_is_told_the_same_once(self):
        for refused in (), [('start_logging', 'RefusedException')]:
            with self.subTest(refused):
                script, publish, put_events = self.with_event_bus(dict(FailedEntryCount=0, Entries=[dict(EventId='1')]), refused)
                _, failed = self.handled(script)
                self.assertEqual((failed, publish.call_count, put_events.call_count), (bool(refused), 1, 1))
                message, (entry,) = publish.call_args.kwargs, put_events.call_args.kwargs['Entries']
                self.assertEqual(json.loads(entry.pop('Detail')), dict(subject=message['Subject'], message=message['Message'], trail='trail'))
                self.assertEqual(entry, dict(EventBusName='bus', Source='trailguard', DetailType='TrailGuard Repair'))

    def test_an_event_bus_is_told_nothing_of_a_run_that_found_all_well(self):
        script, publish, put_events = self.with_event_bus(dict(FailedEntryCount=0))
        script.client('cloudtrail').logging = True
        self.handled(script)
        self.assertEqual((publish.call_count, put_events.call_count), (0, 0))

    def test_an_event_bus_that_cannot_be_reached_fails_nothing(self):
        for answer, said in (
            (ClientError(dict(Error=dict(Code='AccessDeniedException', Message='no such bus')), 'PutEvents'), 'no such bus'),
            (dict(FailedEntryCount=1, Entries=[dict(ErrorCode='InternalException', ErrorMessage='later')]), 'InternalException'),
        ):
            with self.subTest(said):
                script, publish, _ = self.with_event_bus(answer)
                report, failed = self.handled(script)
                self.assertEqual((failed, report['wrong'], publish.call_count), (False, {}, 1))
                self.assertIn(said, report['notToldCentrally'])
                self.assertNotIn('notTold', report)

    def test_an_event_bus_is_told_if_the_topic_cannot_be(self):
        script, publish, put_events = self.with_event_bus(dict(FailedEntryCount=0))
        publish.side_effect = ClientError(dict(Error=dict(Code='NotFound', Message='no topic')), 'Publish')
        report, _ = self.handled(script)
        (entry,) = put_events.call_args.kwargs['Entries']
        self.assertEqual(json.loads(entry['Detail'])['message'], report['message'])
        self.assertIn('no topic', report['notTold'])

    def test_an_event_is_no_longer_than_an_event_bus_takes(self):
        script, _, put_events = self.with_event_bus(dict(FailedEntryCount=0))
        look, _ = script.RESOURCES['CloudTrail trail']
        script.RESOURCES['CloudTrail trail'] = look, lambda: ['\u00fc' * 99999]
        script.handler(WANT | dict(CentralEventBusArn='bus'), None)
        (entry,) = put_events.call_args.kwargs['Entries']
        self.assertLess(sum(len(value) for value in entry.values()), 256 * 1024)

    def with_event_bus(self, answer, refused=()):
        cloudtrail = CloudTrail(refused=refused)
        cloudtrail.logging = False
        script, publish = load(cloudtrail)
        events, sns = mock.Mock(), script.client('sns')
        events.put_events.side_effect = [answer]
        script.client = dict(cloudtrail=cloudtrail, sns=sns, events=events, config=sns).get
        return script, publish, events.put_events

    def handled(self, script):
        try:
            return json.loads(script.handler(WANT | dict(CentralEventBusArn='bus'), None)['Report']), False
        except RuntimeError as error:
            return json.loads(str(error)), True

    def test_a_trail_of_another_account_is_found_by_its_arn_and_made_by_its_name(self):
        arn = 'arn:aws:cloudtrail:us-east-1:111122223333:trail/trail'
        asked = []

        def noted(cloudtrail, operation, **arguments):
            asked.append((operation, arguments.get('Name') or arguments.get('TrailName')))
            return getattr(cloudtrail, operation)(**arguments)

        for exists in True, False:
            with self.subTest(exists):
                cloudtrail = CloudTrail(S3BucketName='other', refused=() if exists else [('KmsKeyId', 'RefusedException')])
                cloudtrail.exists, cloudtrail.logging, cloudtrail.insights, cloudtrail.selectors = exists, False, [], [{'ReadWriteType': 'ReadOnly'}]
                asked.clear()
                operations = [name for name in dir(CloudTrail) if name.split('_')[0] in ('get', 'start', 'update', 'put', 'create', 'describe')]
                proxy = mock.Mock(spec=operations, **{name: functools.partial(noted, cloudtrail, name) for name in operations})
                _, _, messages = run(proxy, TrailArn=arn, IsOrganizationTrail=True)
                by = dict(asked)
                by.pop('describe_trails')
                self.assertEqual(by.pop('create_trail', None), None if exists else 'trail')
                self.assertEqual(set(by.values()), {arn})
                self.assertEqual(cloudtrail.trail['IsOrganizationTrail'], True)
                self.assertIn(' trail trail', messages[0]['Subject'])
                self.assertTrue({'get_trail', 'get_trail_status', 'start_logging', 'update_trail', 'put_event_selectors', 'put_insight_selectors'} <= set(by))

    def test_trails_that_cannot_be_listed_fail_nothing(self):
        cloudtrail = CloudTrail(refused=[('describe_trails', 'AccessDeniedException')])
        cloudtrail.logging = False
        report, failed, messages = run(cloudtrail)
        self.assertEqual((failed, report['wrong'], messages[0]['Subject']), (False, {}, 'REPAIRED: CloudTrail trail trail'))
        self.assertIn('started by hand: link', messages[0]['Message'])

    def test_an_organization_trail_is_never_made_an_accounts_trail(self):
        for settings, calls in (dict(), []), (dict(IsMultiRegionTrail=False, SnsTopicARN='other'), ['update_trail', 'update_trail']):
            with self.subTest(settings):
                cloudtrail = CloudTrail(IsOrganizationTrail=True, **settings)
                _, failed, _ = run(cloudtrail)
                self.assertEqual((cloudtrail.calls, failed, cloudtrail.trail['IsOrganizationTrail']), (calls, False, True))

    def test_an_accounts_trail_is_made_the_declared_organization_trail(self):
        cloudtrail = CloudTrail()
        _, failed, _ = run(cloudtrail, IsOrganizationTrail=True)
        self.assertEqual((cloudtrail.calls, failed, cloudtrail.trail['IsOrganizationTrail']), (['update_trail'], False, True))

    def test_remediation_exceptions_of_every_page_are_deleted(self):
        script, publish = load(CloudTrail())
        config = script.client('config')
        pages = [[dict(ConfigRuleName='rule', ResourceType='type', ResourceId=one) for one in page] for page in ('12', '3')]
        config.describe_remediation_exceptions.side_effect = [
            dict(RemediationExceptions=pages[0], NextToken='next'), dict(RemediationExceptions=pages[1]), dict(RemediationExceptions=[]),
        ]
        config.delete_remediation_exceptions.return_value = dict(FailedBatches=[])
        report = json.loads(script.handler(WANT | dict(ConfigRuleNames=['rule']), None)['Report'])
        self.assertEqual((list(report['changed']), report['writes']), (['rule'], ['delete_remediation_exceptions'] * 2))
        self.assertEqual([call.kwargs for call in config.delete_remediation_exceptions.call_args_list], [
            dict(ConfigRuleName='rule', ResourceKeys=[dict(ResourceType='type', ResourceId=one) for one in page]) for page in ('12', '3')
        ])
        self.assertIn('rule: found "exempted", declared "remediated"', publish.call_args.kwargs['Message'])

    def test_a_recorder_that_was_stopped_is_started(self):
        script, publish = load(CloudTrail())
        config = script.client('config')
        recorders = [dict(name='default', recording=False), dict(name='other', recording=True)]
        config.describe_remediation_exceptions.return_value = dict(RemediationExceptions=[])
        config.describe_configuration_recorder_status.side_effect = lambda: dict(ConfigurationRecordersStatus=recorders)
        config.start_configuration_recorder.side_effect = lambda ConfigurationRecorderName: recorders[0].update(recording=True)
        report = json.loads(script.handler(WANT | dict(ConfigRuleNames=['rule']), None)['Report'])
        self.assertEqual([call.kwargs for call in config.start_configuration_recorder.call_args_list], [dict(ConfigurationRecorderName='default')])
        self.assertEqual(report['writes'], ['start_configuration_recorder'])
        self.assertIn('recorder default: found "stopped", declared "recording"', publish.call_args.kwargs['Message'])

    def test_a_log_that_is_not_delivered_is_told_at_once_and_not_waited_for(self):
        now, hour = 1_900_000_000, 3600
        for age, said in ((1, False), (3, True), (None, True)):
            for kind in 'Latest', 'LatestDigest':
                with self.subTest(age=age, kind=kind):
                    cloudtrail = CloudTrail()
                    latest = {} if age is None else {kind + 'DeliveryTime': datetime.datetime.fromtimestamp(now - age * hour, datetime.timezone.utc)}
                    cloudtrail.status = latest | {kind + 'DeliveryError': 'AccessDenied'}
                    script, publish = load(cloudtrail)
                    try:
                        script.handler(dict(WANT), None)
                    except RuntimeError as error:
                        self.assertEqual(list(json.loads(str(error))['wrong']), ['delivery'])
                    self.assertEqual((publish.call_count, cloudtrail.calls, script.time.time()), (said, [], now))
                    if said:
                        left = [line for line in publish.call_args.kwargs['Message'].splitlines() if line.startswith('LEFT: delivery: ')]
                        self.assertIn('Restore it and its policy. Enable it', left[0])
                        self.assertNotIn('Allow it to the role', left[0])

    def test_a_delivery_that_failed_is_nothing_wrong_if_the_run_has_changed_the_trail(self):
        cloudtrail = CloudTrail(S3BucketName='other')
        cloudtrail.status = dict(LatestDeliveryError='NoSuchBucket')
        report, failed, messages = run(cloudtrail)
        self.assertEqual((failed, report['wrong'], cloudtrail.calls), (False, {}, ['update_trail']))
        self.assertIn('LatestDeliveryError: NoSuchBucket', messages[0]['Message'])

    def test_exceptions_that_cannot_be_deleted_fail_the_run(self):
        script, publish = load(CloudTrail())
        script.client('config').describe_remediation_exceptions.side_effect = ClientError(dict(Error=dict(Code='AccessDeniedException', Message='no')), 'x')
        with self.assertRaises(RuntimeError):
            script.handler(WANT | dict(ConfigRuleNames=['rule']), None)
        self.assertIn('LEFT: rule: ', publish.call_args.kwargs['Message'])

    def test_only_declared_tags_are_restored(self):
        tag, other = dict(Key='owner', Value='security'), dict(Key='else', Value='x')
        for tags, calls in ([tag, other], []), ([other], ['add_tags']), ([dict(Key='owner', Value='mallory')], ['add_tags']):
            with self.subTest(tags):
                cloudtrail = CloudTrail()
                cloudtrail.tags = tags
                run(cloudtrail, TagsList=[tag])
                self.assertEqual(cloudtrail.calls, calls)

    def test_an_exception_that_another_run_deletes_first_is_nothing_wrong(self):
        script, publish = load(CloudTrail())
        config = script.client('config')
        exceptions = [dict(ResourceType='type', ResourceId=one) for one in ('1', '2')]
        config.describe_remediation_exceptions.side_effect = [dict(RemediationExceptions=rest) for rest in (exceptions, exceptions[1:], [])]
        gone = ClientError(dict(Error=dict(Code='NoSuchRemediationExceptionException', Message='gone')), 'x')
        config.delete_remediation_exceptions.side_effect = [gone, dict(FailedBatches=[])]
        report = json.loads(script.handler(WANT | dict(ConfigRuleNames=['rule']), None)['Report'])
        self.assertEqual((report['wrong'], list(report['changed']), publish.call_count), ({}, ['rule'], 1))

    def test_exceptions_are_looked_for_again_while_config_throttles(self):
        script, publish = load(CloudTrail())
        throttled = ClientError(dict(Error=dict(Code='ThrottlingException', Message='slow down')), 'x')
        config = script.client('config')
        config.describe_remediation_exceptions.side_effect = [throttled] * 6 + [dict(RemediationExceptions=[])]
        report = json.loads(script.handler(WANT | dict(ConfigRuleNames=['rule']), None)['Report'])
        self.assertEqual((report['wrong'], publish.call_args), ({}, None))

    def test_a_run_that_is_throttled_throughout_ends_before_automation_ends_it(self):
        def throttled(*_, **__):
            # The longest that botocore waits between four attempts, and what they take.
            script.time.sleep(1 + 2 + 4 + 4)
            raise ClientError(dict(Error=dict(Code='ThrottlingException', Message='slow down')), 'x')

        cloudtrail = mock.Mock()
        for operation in 'get_trail_status', 'get_event_selectors', 'get_trail', 'get_insight_selectors', 'list_tags', 'describe_trails':
            getattr(cloudtrail, operation).side_effect = throttled
        script, publish = load(cloudtrail)
        publish.side_effect = throttled
        script.client('config').describe_remediation_exceptions.side_effect = throttled
        began = script.time.time()
        with self.assertRaises(RuntimeError):
            script.handler(WANT | dict(ConfigRuleNames=['1', '2', '3'], TagsList=[dict(Key='k', Value='v')]), None)
        self.assertLess(script.time.time() - began, 600)
        self.assertGreater(script.time.time() - began, 300)

    def test_an_exception_that_config_does_not_delete_is_told(self):
        script, _ = load(CloudTrail())
        config = mock.Mock()
        config.describe_configuration_recorder_status.return_value = dict(ConfigurationRecordersStatus=[])
        config.describe_remediation_exceptions.return_value = dict(RemediationExceptions=[dict(ResourceType='type', ResourceId='id')])
        config.delete_remediation_exceptions.return_value = dict(FailedBatches=[dict(FailureMessage='not now')])
        cloudtrail = script.client('cloudtrail')
        script.client = lambda service: cloudtrail if service == 'cloudtrail' else config
        with self.assertRaisesRegex(RuntimeError, 'not now'):
            script.handler(WANT | dict(ConfigRuleNames=['rule']), None)


def field(name, **operators):
    return dict(Field=name, **operators)


def advanced(*fields, name='x'):
    return dict(Name=name, FieldSelectors=list(fields))


DATA = field('eventCategory', Equals=['Data'])
MANAGEMENT = field('eventCategory', Equals=['Management'])
OBJECTS = field('resources.type', Equals=['AWS::S3::Object'])


def objects(*values, **others):
    return dict(DataResources=[dict(Type='AWS::S3::Object', Values=list(values))], **others)


class Meaning(unittest.TestCase):
    def test_selectors_that_mean_the_same(self):
        for one, other in (
            ([{}], [dict(ReadWriteType='All', IncludeManagementEvents=True, DataResources=[], ExcludeManagementEventSources=[])]),
            ([{}], [advanced(MANAGEMENT)]),
            ([advanced(MANAGEMENT, name='a')], [advanced(MANAGEMENT, name='b')]),
            ([dict(ReadWriteType='ReadOnly')], [advanced(field('readOnly', Equals=['true']), MANAGEMENT)]),
            ([dict(ExcludeManagementEventSources=['kms'])], [advanced(MANAGEMENT, field('eventSource', NotEquals=['kms']))]),
            ([objects('arn:aws:s3:::a/', 'arn:aws:s3:::b/')], [objects('arn:aws:s3:::b/', 'arn:aws:s3:::a/')]),
            ([objects('arn:aws:s3:::a/')], [advanced(MANAGEMENT), advanced(OBJECTS, DATA, field('resources.ARN', StartsWith=['arn:aws:s3:::a/']))]),
            ([objects('arn:aws:s3')], [advanced(DATA, OBJECTS), advanced(MANAGEMENT)]),
            ([objects('arn:aws:s3:::')], [objects('arn:aws:s3')]),
            ([objects()], [{}]),
        ):
            with self.subTest(one=one, other=other):
                self.assertEqual(self.script.conditions(one), self.script.conditions(other))

    def test_selectors_that_mean_something_else(self):
        for one in (
            [], [dict(ReadWriteType='ReadOnly')], [dict(ReadWriteType='WriteOnly')], [dict(IncludeManagementEvents=False)],
            [dict(ExcludeManagementEventSources=['kms'])], [objects('arn:aws:s3:::a/')], [advanced(DATA, OBJECTS)],
            [advanced(MANAGEMENT, field('readOnly', Equals=['true']))], [{}, objects('arn:aws:s3', IncludeManagementEvents=False)],
        ):
            with self.subTest(one):
                self.assertNotEqual(self.script.conditions(one), self.script.conditions([{}]))

    def setUp(self):
        self.script, _ = load(CloudTrail())


if __name__ == '__main__':
    unittest.main()
