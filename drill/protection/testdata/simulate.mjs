// Reads policies and questions from standard input, puts each question to @cloud-copilot/iam-simulate, and writes the list of answers.
// The first argument is the folder of Node modules.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const require = createRequire(join(process.argv[2], 'resolve.js'));
const { runSimulation } = require('@cloud-copilot/iam-simulate');
const { createValidatedPolicy, validateResourceControlPolicy, validateServiceControlPolicy } = require('@cloud-copilot/iam-policy');

const { organizations, questions } = JSON.parse(await text(process.stdin));
const named = (policies) => policies.map((policy, index) => ({ name: `policy ${index}`, policy }));
const attached = (policies) => (policies.length ? [{ orgIdentifier: 'ou-root-protected', policies: named(policies) }] : []);
// The policies of an organization are long and bear on all questions: their grammar is checked once.
for (const organization of organizations) {
  organization.serviceControl = organization.serviceControl.map((policy) => createValidatedPolicy(policy, validateServiceControlPolicy));
  organization.resourceControl = organization.resourceControl.map((policy) => createValidatedPolicy(policy, validateResourceControlPolicy));
}

const answers = [];
for (const question of questions) {
  const { serviceControl, resourceControl } = organizations[question.organization];
  const result = await runSimulation({
    request: {
      principal: question.principal, action: question.action, contextVariables: question.context,
      resource: { resource: question.resource, accountId: question.resourceAccount },
    },
    identityPolicies: named(question.identity),
    serviceControlPolicies: attached(question.bound ? serviceControl : []),
    resourceControlPolicies: attached(question.guarded ? resourceControl : []),
    resourcePolicy: question.resourcePolicy,
  }, {});
  if (result.resultType === 'error') {
    answers.push({ error: JSON.stringify(result.errors) });
  } else {
    const single = result.resultType === 'single' ? result.result : result.results[0];
    answers.push({ result: result.overallResult, ignored: single?.ignoredContextKeys ?? [] });
  }
}
process.stdout.write(JSON.stringify(answers));
