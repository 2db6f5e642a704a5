"""Tests the script by itself: what settings mean, and what it writes in which order. The local AWS tests it with real clients."""

import json
import unittest
from unittest import mock

from botocore.exceptions import ClientError
from test_cloudtrail_remediation_action import script_of

DENY = dict(Effect='Deny', Principal=dict(AWS='*'), Action='s3:*', Resource=['b', 'b/*'], Condition=dict(Bool={'aws:SecureTransport': 'false'}))
WRITE = dict(Sid='Write', Effect='Allow', Principal=dict(Service='cloudtrail.amazonaws.com'), Action='s3:PutObject', Resource='b/AWSLogs/*')
RULES = [dict(Status='Enabled', Filter=dict(Prefix=''), AbortIncompleteMultipartUpload=dict(DaysAfterInitiation=7))]
BLOCK = dict(BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True)
DECLARED = [
    ['kms', ['arn:key'], {
        'describe_key enable_key': {'KeyMetadata': {'KeyState': 'Enabled'}},
        'key_policy': {'Policy': {'Version': '2012-10-17', 'Statement': [WRITE]}},
        'get_key_rotation_status enable_key_rotation': {'KeyRotationEnabled': True},
    }],
    ['s3', ['bucket'], {
        'bucket_policy': {'Policy': {'Version': '2012-10-17', 'Statement': [DENY, WRITE]}},
        'bucket_lifecycle_configuration': {'LifecycleConfiguration': {'Rules': RULES}},
        'bucket_versioning': {'VersioningConfiguration': {'Status': 'Enabled'}},
        'public_access_block': {'PublicAccessBlockConfiguration': BLOCK},
        'bucket_logging': {'BucketLoggingStatus': {'LoggingEnabled': {'TargetBucket': 'access', 'TargetPrefix': ''}}},
        'bucket_ownership_controls': {'OwnershipControls': {'Rules': [{'ObjectOwnership': 'BucketOwnerEnforced'}]}},
    }],
]
WANT = dict(Name='trail', Declared=repr(DECLARED), Account='123456789012', AlertTopicArn='topic', CentralEventBusArn='', Resource='log store', StartedBy='hand', Execution='link')


class Store:
    """A key and a bucket in memory, which refuse what they are told to refuse."""

    def __init__(self, refused=(), **settings):
        self.refused, self.calls = dict(refused), []
        self.settings = dict(
            key='Enabled', rotation=True, key_policy=DECLARED[0][2]['key_policy']['Policy'],
            bucket_policy=DECLARED[1][2]['bucket_policy']['Policy'], bucket_lifecycle_configuration=RULES, bucket_versioning='Enabled',
            public_access_block=BLOCK, bucket_logging=dict(TargetBucket='access', TargetPrefix=''), bucket_ownership_controls='BucketOwnerEnforced',
        ) | settings

    def __getattr__(self, operation):
        def call(**arguments):
            self.calls.append(operation)
            if operation in self.refused:
                code = self.refused[operation]
                code = code.pop(0) if isinstance(code, list) and code else code
                if code:
                    raise ClientError(dict(Error=dict(Code=code, Message='refused')), operation)
            if operation.startswith(('get_', 'describe_')):
                return self.get(operation) | dict(ResponseMetadata={})
            self.put(operation, arguments)
            return dict(ResponseMetadata={})

        return call

    def get(self, operation):
        s = self.settings
        if operation == 'describe_key':
            return dict(KeyMetadata=dict(KeyState=s['key'], KeyId='id'))
        if operation == 'get_key_rotation_status':
            return dict(KeyRotationEnabled=s['rotation'])
        value = s[operation[4:]]
        if value is None and operation != 'get_bucket_logging':
            raise ClientError(dict(Error=dict(Code='NoSuchBucketPolicy' if 'policy' in operation else 'NoSuchLifecycleConfiguration', Message='')), operation)
        return {
            'get_key_policy': lambda: dict(Policy=json.dumps(value)),
            'get_bucket_policy': lambda: dict(Policy=json.dumps(value)),
            'get_bucket_lifecycle_configuration': lambda: dict(Rules=value, TransitionDefaultMinimumObjectSize='all'),
            'get_bucket_versioning': lambda: dict(Status=value, MFADelete='Disabled'),
            'get_public_access_block': lambda: dict(PublicAccessBlockConfiguration=value),
            'get_bucket_logging': lambda: dict(LoggingEnabled=value) if value else {},
            'get_bucket_ownership_controls': lambda: dict(OwnershipControls=dict(Rules=[dict(ObjectOwnership=value)])),
        }[operation]()

    def put(self, operation, arguments):
        s = self.settings
        match operation:
            case 'cancel_key_deletion':
                s['key'] = 'Disabled'
            case 'enable_key':
                s['key'] = 'Enabled'
            case 'enable_key_rotation':
                s['rotation'] = True
            case 'put_key_policy' | 'put_bucket_policy':
                s[operation[4:]] = json.loads(arguments['Policy'])
            case 'put_bucket_lifecycle_configuration':
                s['bucket_lifecycle_configuration'] = [dict(rule, ID='made by S3') for rule in arguments['LifecycleConfiguration']['Rules']]
            case 'delete_bucket_lifecycle':
                s['bucket_lifecycle_configuration'] = None
            case 'put_bucket_versioning':
                s['bucket_versioning'] = arguments['VersioningConfiguration']['Status']
            case 'put_public_access_block':
                s['public_access_block'] = arguments['PublicAccessBlockConfiguration']
            case 'put_bucket_logging':
                s['bucket_logging'] = arguments['BucketLoggingStatus']['LoggingEnabled']
            case 'put_bucket_ownership_controls':
                s['bucket_ownership_controls'] = arguments['OwnershipControls']['Rules'][0]['ObjectOwnership']

    def writes(self):
        return [call for call in self.calls if not call.startswith(('get_', 'describe_'))]


def load(store):
    """Returns the script, and the topic."""
    script, sns = script_of('log_store_remediation_action'), mock.Mock()
    script.client = lambda service: store if service in ('kms', 's3') else sns
    return script, sns


def run(store, **want):
    """Runs the script and returns its report, whether it failed, and the messages that people got."""
    script, sns = load(store)
    try:
        report, failed = script.handler(WANT | want, None)['Report'], False
    except RuntimeError as error:
        report, failed = str(error), True
    return json.loads(report), failed, [call.kwargs for call in sns.publish.call_args_list]


class Runs(unittest.TestCase):
    def test_a_store_that_is_as_declared_is_only_read(self):
        store = Store()
        report, failed, messages = run(store)
        self.assertEqual((store.writes(), failed, messages, report['changed']), ([], False, [], {}))

    def test_the_key_comes_first_then_the_policy_and_the_lifecycle(self):
        store = Store(key='PendingDeletion', rotation=False, bucket_policy=None, bucket_lifecycle_configuration=None, bucket_versioning='Suspended', bucket_logging=None)
        report, failed, messages = run(store)
        self.assertEqual(store.writes(), [
            'cancel_key_deletion', 'enable_key', 'enable_key_rotation', 'put_bucket_policy', 'put_bucket_lifecycle_configuration', 'put_bucket_versioning',
            'put_bucket_logging'])
        self.assertEqual((failed, len(messages), messages[0]['Subject']), (False, 1, 'REPAIRED: log store trail'))
        self.assertIn('KeyMetadata of arn:key: found {"KeyState": "PendingDeletion"}, declared {"KeyState": "Enabled"}', messages[0]['Message'])
        self.assertIn('started by hand: link', messages[0]['Message'])

    def test_a_disabled_key_is_enabled_without_more(self):
        store = Store(key='Disabled')
        run(store)
        self.assertEqual(store.writes(), ['enable_key'])

    def test_a_deletion_that_cannot_be_cancelled_is_what_people_are_told(self):
        store = Store(refused=dict(cancel_key_deletion='AccessDeniedException'), key='PendingDeletion')
        report, failed, _ = run(store)
        self.assertIn('when calling the cancel_key_deletion operation', report['wrong']['KeyMetadata of arn:key'])
        self.assertEqual((failed, set(store.writes())), (True, {'cancel_key_deletion'}))

    def test_an_intruders_lifecycle_is_replaced(self):
        store = Store(bucket_lifecycle_configuration=[dict(ID='x', Status='Enabled', Filter=dict(Prefix='AWSLogs/'), Expiration=dict(Days=1))])
        report, failed, messages = run(store)
        self.assertEqual((store.writes(), failed), (['put_bucket_lifecycle_configuration'], False))
        self.assertIn('"Expiration": {"Days": 1}', messages[0]['Message'])

    def test_a_lifecycle_that_is_not_declared_is_deleted(self):
        store = Store(bucket_lifecycle_configuration=[dict(Status='Enabled', Filter={}, Expiration=dict(Days=1))])
        declared = [['s3', ['bucket'], {'get_bucket_lifecycle_configuration delete_bucket_lifecycle': {'LifecycleConfiguration': {'Rules': []}}}]]
        _, failed, messages = run(store, Declared=repr(declared))
        self.assertEqual((store.writes(), failed, len(messages)), (['delete_bucket_lifecycle'], False, 1))
        self.assertEqual(run(store, Declared=repr(declared))[2], [])

    def test_what_may_not_be_read_is_written(self):
        store = Store(refused=dict(get_bucket_policy=['AccessDenied', '', '']), bucket_policy=None)
        _, failed, messages = run(store)
        self.assertEqual((store.writes(), failed, len(messages)), (['put_bucket_policy'], False, 1))

    def test_a_throttled_read_is_waited_for_and_nothing_is_written(self):
        store = Store(refused=dict(get_bucket_policy=['Throttling', 'Throttling', '']))
        _, failed, messages = run(store)
        self.assertEqual((store.writes(), failed, messages), ([], False, []))

    def test_one_refusal_keeps_nothing_else_from_being_restored(self):
        store = Store(refused=dict(put_bucket_policy='AccessDenied'), bucket_policy=None, bucket_versioning='Suspended', key='Disabled')
        report, failed, messages = run(store)
        self.assertEqual((failed, store.settings['bucket_versioning'], store.settings['key']), (True, 'Enabled', 'Enabled'))
        self.assertEqual(list(report['wrong']), ['Policy of bucket'])
        self.assertEqual((len(messages), messages[0]['Subject']), (1, 'NOT REPAIRED: log store trail'))
        self.assertIn('The root user can delete a bucket policy', messages[0]['Message'])

    def test_a_bucket_that_is_gone_is_told_and_not_made_anew(self):
        gone = {operation: 'NoSuchBucket' for operation in (
            'get_bucket_policy', 'get_bucket_lifecycle_configuration', 'get_bucket_versioning', 'get_public_access_block', 'get_bucket_logging',
            'get_bucket_ownership_controls')}
        store = Store(refused=gone)
        _, failed, messages = run(store)
        self.assertEqual((store.writes(), failed, len(messages)), ([], True, 1))
        self.assertIn('create it in this account before somebody else does', messages[0]['Message'])

    def test_a_key_that_is_gone_is_told(self):
        store = Store(refused=dict(describe_key='NotFoundException', get_key_policy='NotFoundException', get_key_rotation_status='NotFoundException'))
        _, failed, messages = run(store)
        self.assertEqual((store.writes(), failed, len(messages)), ([], True, 1))
        self.assertIn('The key is gone with what it encrypts', messages[0]['Message'])

    def test_ownership_is_restored_after_the_access_control_list(self):
        store = Store(refused=dict(put_bucket_ownership_controls=['InvalidBucketAclWithObjectOwnership', '']), bucket_ownership_controls='ObjectWriter')
        _, failed, messages = run(store)
        self.assertEqual(store.writes(), ['put_bucket_ownership_controls', 'put_bucket_acl', 'put_bucket_ownership_controls'])
        self.assertEqual((failed, len(messages)), (False, 1))

    def test_an_owner_is_expected_of_each_bucket(self):
        store = mock.Mock(get_bucket_versioning=mock.Mock(return_value=dict(Status='Enabled')))
        run(store, Declared=repr([['s3', ['bucket'], {'bucket_versioning': {'VersioningConfiguration': {'Status': 'Enabled'}}}]]))
        store.get_bucket_versioning.assert_called_once_with(Bucket='bucket', ExpectedBucketOwner='123456789012')

    def test_people_who_cannot_be_told_fail_nothing(self):
        script, sns = load(Store(key='Disabled'))
        sns.publish.side_effect = ClientError(dict(Error=dict(Code='NotFound', Message='gone')), 'Publish')
        self.assertIn('NotFound', json.loads(script.handler(WANT, None)['Report'])['notTold'])

    def test_what_stays_wrong_ends_in_time(self):
        script, _ = load(Store(refused=dict(get_bucket_policy='Throttling')))
        start = script.time.time()
        with self.assertRaises(RuntimeError):
            script.handler(WANT, None)
        self.assertLess(script.time.time() - start, 400)


class Meaning(unittest.TestCase):
    def same(self, one, other, want=True):
        script, _ = load(Store())
        self.assertEqual(script.meaning(one) == script.meaning(other), want, (one, other))

    def test_policies_that_mean_the_same(self):
        self.same(dict(Statement=[DENY, WRITE]), dict(Statement=[WRITE, DENY]))
        self.same(dict(Statement=[WRITE]), dict(Statement=WRITE))
        self.same(dict(Action=['a', 'b']), dict(Action=['b', 'a']))
        self.same(dict(Action=['a']), dict(Action='a'))
        self.same(dict(Principal=dict(AWS='123456789012')), dict(Principal=dict(AWS='arn:aws-us-gov:iam::123456789012:root')))
        self.same(dict(Principal=dict(AWS=['123456789012', 'arn:aws:iam::1:role/a'])), dict(Principal=dict(AWS=['arn:aws:iam::1:role/a', 'arn:aws:iam::123456789012:root'])))

    def test_policies_that_do_not(self):
        for name, value in dict(Sid='Other', Effect='Deny', Principal='*', Action='s3:putobject', Resource='b/AWSLogs/', Condition=dict(Bool={'aws:SecureTransport': 'true'})).items():
            self.same(dict(Statement=[WRITE]), dict(Statement=[WRITE | {name: value}]), False)
        self.same(dict(Statement=[DENY]), dict(Statement=[DENY | dict(Condition={})]), False)
        self.same(dict(Statement=[DENY, WRITE]), dict(Statement=[DENY]), False)
        self.same(dict(Version='2012-10-17'), dict(Version='2008-10-17'), False)
        # The root user is an account in a principal only.
        self.same({'aws:PrincipalArn': 'arn:aws:iam::123456789012:root'}, {'aws:PrincipalArn': '123456789012'}, False)

    def test_lifecycle_rules_that_mean_the_same(self):
        self.same(RULES, [dict(RULES[0], ID='x')])
        self.same(RULES, [dict(RULES[0], Filter={})])
        self.same([dict(Filter=dict(Prefix='a'))], [dict(Prefix='a')])
        self.same([dict(Filter=dict(And=dict(Prefix='a', Tags=[dict(Key='k', Value='v')])))], [dict(Prefix='a', Filter=dict(And=dict(Tags=[dict(Key='k', Value='v')])))])

    def test_lifecycle_rules_that_do_not(self):
        for change in (dict(Status='Disabled'), dict(Filter=dict(Prefix='AWSLogs/')), dict(Expiration=dict(Days=1)), dict(AbortIncompleteMultipartUpload=dict(DaysAfterInitiation=8))):
            self.same(RULES, [RULES[0] | change], False)
        self.same(RULES, RULES + [dict(Status='Enabled', Filter={}, Expiration=dict(Days=1))], False)


if __name__ == '__main__':
    unittest.main()
