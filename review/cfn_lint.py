"""Runs cfn-lint on each template in each Region that the template is for.

Standard input is a JSON list of {"template": PATH, "regions": [REGION, ...]}, where no Regions are all that cfn-lint knows. A type
that a Region does not have is reported for each Region. Then one Region is linted for all of a partition in which the template's
types have the same schemas: cfn-lint says the same of them, and takes minutes for all 46.

With --regions TYPE it prints, as JSON, the Regions that cfn-lint knows, and whether each has the type.

With --create-only TYPE... it prints, as JSON by type, the properties whose change makes CloudFormation replace a resource, always or
sometimes, as paths such as /properties/BucketName.
"""

import collections
import concurrent.futures
import gc
import importlib
import importlib.resources
import json
import os
import sys

from cfnlint.config import ConfigMixIn
from cfnlint.helpers import REGIONS
from cfnlint.runner import Runner

PARTITIONS = ('cn-', 'us-gov-', 'eusc-', '-iso')


def schemas(region):
    """The names of the schemas in a Region, by type."""
    return importlib.import_module('cfnlint.data.schemas.providers.' + region.replace('-', '_')).types


def partition(region):
    return next((part for part in PARTITIONS if part in region), 'aws')


def representatives(types, regions):
    """One Region for all that are alike to cfn-lint."""
    alike = {}
    for region in regions:
        alike.setdefault((partition(region), *(schemas(region)[kind] for kind in types)), region)
    return tuple(alike.values())


def lint(jobs):
    findings = []
    together = collections.defaultdict(list)
    for job in jobs:
        with open(job['template'], encoding='utf-8') as file:
            types = sorted({resource['Type'] for resource in json.load(file)['Resources'].values()})
        regions = job['regions'] or REGIONS
        for region in regions:
            for kind in types:
                if kind not in schemas(region):
                    findings.append(f'{job["template"]}: {kind} does not exist in {region}')
        regions = [region for region in regions if all(kind in schemas(region) for kind in types)]
        if regions:
            together[representatives(types, regions)].append(job['template'])
    processes = os.cpu_count() or 1
    batches = [
        (regions, templates[i::processes])
        for regions, templates in together.items()
        for i in range(min(processes, len(templates)))
    ]
    # Most of what cfn-lint makes lives until it ends: the collector of garbage takes a third of the time and finds none.
    with concurrent.futures.ProcessPoolExecutor(processes, initializer=gc.disable) as pool:
        for found in pool.map(run, batches):
            findings += found
    return findings


def run(batch):
    """What cfn-lint finds in templates, in some Regions."""
    regions, templates = batch
    return [str(finding) for finding in Runner(ConfigMixIn(['--regions', *regions, '--', *templates])).run()]


def create_only(kind):
    """The create-only properties of a type.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-createonlyproperties
    """
    folder = importlib.resources.files('cfnlint.data.schemas.resources')
    schema = json.loads((folder / (schemas('us-east-1')[kind] + '.json')).read_text(encoding='utf-8'))
    return schema.get('createOnlyProperties', []) + schema.get('conditionalCreateOnlyProperties', [])


def main(arguments):
    if arguments[:1] == ['--create-only']:
        print(json.dumps({kind: create_only(kind) for kind in arguments[1:]}))
        return 0
    if arguments[:1] == ['--regions']:
        print(json.dumps({region: arguments[1] in schemas(region) for region in REGIONS}))
        return 0
    findings = lint(json.load(sys.stdin))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
