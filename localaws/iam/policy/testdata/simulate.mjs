// Reads a list of simulations from standard input, runs each with @cloud-copilot/iam-simulate, and writes the list of
// answers. The first argument is the folder of Node modules.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const require = createRequire(join(process.argv[2], 'resolve.js'));
const { runSimulation } = require('@cloud-copilot/iam-simulate');

const answers = [];
for (const simulation of JSON.parse(await text(process.stdin))) {
  const result = await runSimulation(simulation, {});
  if (result.resultType === 'error') {
    answers.push({ error: JSON.stringify(result.errors) });
  } else {
    const single = result.resultType === 'single' ? result.result : result.results[0];
    answers.push({ result: result.overallResult, ignored: single?.ignoredContextKeys ?? [] });
  }
}
process.stdout.write(JSON.stringify(answers));
