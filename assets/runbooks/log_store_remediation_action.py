# The part of reconciliation.py that puts the store of a trail's log into its declared state, the key first and then each bucket: what looks
# at it, and what the runbook log-store-remediation-action has besides.
#
# It deletes nothing, and makes nothing anew: an empty bucket in the place of one that is gone would look as if no log were missing.
import ast

MENDS.update({
    'NoSuchBucket': 'The bucket is gone with its log: create it in this account before somebody else does.',
    '(NotFoundException': 'The key is gone with what it encrypts: deploy another.',
    'Policy of': 'The root user can delete a bucket policy, AWS Support replace a key policy.',
    'rincipal': 'The policy names who is gone: deploy without.',
})


def look_at_store():
    for service, ids, settings in ast.literal_eval(want['Declared']):
        for one in ids:
            names = dict(KeyId=one) if service == 'kms' else dict(Bucket=one, ExpectedBucketOwner=want['Account'])
            for setting, value in settings.items():
                restore(service, setting, value, names, ' of ' + one)


RESOURCES['log store'] = look_at_store, lambda: []
