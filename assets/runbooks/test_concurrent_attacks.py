"""Tests the script against attackers who call between any two of its calls, of which no event tells."""

import itertools
import random
import unittest

from test_cloudtrail_remediation_action import WANT, CloudTrail, load

START = 1_900_000_000.0
DEADLINE = 300
SEEDS = range(20)


class Attacked(CloudTrail):
    """A trail that eight attackers stop, weaken and delete until a given second of the run, in an order of chance."""

    def __init__(self, seed, until):
        super().__init__()
        self.chance, self.until, self.script = random.Random(seed), until, None
        self.last_attack, self.last_look = 0, 0
        self.now = 0  # a count of the calls of the script
        self.attackers = [itertools.cycle(attacks[i:] + attacks[:i]) for i, attacks in enumerate([[self.stop, self.update, self.delete]] * 8)]

    def stop(self):
        self.logging = False

    def update(self):
        self.trail = self.trail | dict(S3BucketName='mallory', KmsKeyId='')

    def delete(self):
        self.exists, self.logging, self.trail, self.insights = False, False, dict(TrailARN='arn'), []

    def attack(self, operation):
        """A call of the script takes a quarter of a second. The first of each look meets an attack, and every other one of the rest."""
        self.now += 1
        self.script.time.sleep(0.25)
        looks = operation == 'get_trail_status'
        if looks:
            self.last_look = self.now
        if self.script.time.time() < START + self.until and (looks or self.chance.random() < 0.5):
            self.last_attack = self.now
            next(self.chance.choice(self.attackers))()

    def good(self):
        wanted = dict(S3BucketName='bucket', KmsKeyId='key', LogFileValidationEnabled=True, IsMultiRegionTrail=True)
        return (self.exists and self.logging and wanted.items() <= self.trail.items()
                and self.selectors == WANT['EventSelectors'] and self.insights == WANT['InsightSelectors'])


class Client:
    """Lets attackers call before each call of the script."""

    def __init__(self, trail):
        self.trail = trail

    def __getattr__(self, operation):
        def call(**arguments):
            self.trail.attack(operation)
            return getattr(self.trail, operation)(**arguments)
        return call


def run(seed, until, edit=None):
    """Returns the trail after a run, and after how many seconds the run ended, and how."""
    trail = Attacked(seed, until)
    script, _ = load(trail)
    clients, attacked = script.client, Client(trail)
    script.client = lambda service: attacked if service == 'cloudtrail' else clients(service)
    trail.script = script
    if edit:
        edit(script)
    try:
        script.handler(dict(WANT), None)
        error = None
    except RuntimeError as failure:
        error = failure
    return trail, script.time.time() - START, error


class Attacks(unittest.TestCase):
    def test_a_run_outlasts_attacks_and_ends_on_a_good_look(self):
        for seed in SEEDS:
            for until in (10, 60, 280):
                with self.subTest(seed=seed, until=until):
                    trail, seconds, error = run(seed, until)
                    self.assertIsNone(error)
                    self.assertTrue(trail.good(), trail.__dict__)
                    self.assertGreater(trail.last_attack, 10)
                    # What an attacker did after the last look began would be the next run's.
                    self.assertLess(trail.last_attack, trail.last_look)
                    self.assertLess(seconds, until + 20)

    def test_a_run_that_is_attacked_all_the_time_goes_on_for_its_whole_deadline(self):
        for seed in SEEDS:
            with self.subTest(seed):
                _, seconds, error = run(seed, 10 * DEADLINE)
                self.assertIsNotNone(error)
                self.assertGreaterEqual(seconds, DEADLINE)
                # Automation ends a script after ten minutes.
                self.assertLess(seconds, 2 * DEADLINE)

    def test_a_run_that_looks_once_leaves_what_is_done_meanwhile(self):
        """The negative control: nothing that a look finds keeps the run from ending."""
        class Nothing(dict):
            def keys(self):
                return set()

        def end_at_once(script):
            script.wrong = Nothing()

        left = [seed for seed in SEEDS if not run(seed, 280, end_at_once)[0].good()]
        self.assertGreater(len(left), len(SEEDS) // 2)


class Insights(unittest.TestCase):
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_InsightSelector.html"""

    def test_insights_of_other_events_are_put_back(self):
        for found, differs in (
            (dict(InsightType='ApiCallRateInsight', EventCategories=['Management']), False),
            (dict(InsightType='ApiCallRateInsight', EventCategories=[]), False),
            (dict(InsightType='ApiCallRateInsight', EventCategories=['Data']), True),
            (dict(InsightType='ApiCallRateInsight', EventCategories=['Management', 'Data']), True),
        ):
            with self.subTest(found):
                cloudtrail = CloudTrail()
                cloudtrail.insights = [found]
                script, _ = load(cloudtrail)
                script.handler(dict(WANT), None)
                self.assertEqual(cloudtrail.calls, ['put_insight_selectors'] if differs else [])


if __name__ == '__main__':
    unittest.main()
