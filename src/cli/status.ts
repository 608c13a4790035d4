import { statusJob } from '../jobs/status.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { statusText } from './status-text.ts';

export const status = defineCommand({
  description: `Opens with the one answer: how much would be lost, how long until it is back, and when that was last proved.
Needs no key. Exit code 1 when something is not as it should be.`,
  options: {},
  async run({ job, out }) {
    const { document, answer } = await job(statusJob, {});
    out.answer(document, statusText);
    return exitCodes[answer];
  },
});
