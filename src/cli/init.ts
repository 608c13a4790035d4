import { defineCommand, flag } from './command.ts';
import { exitCodes } from './exit.ts';
export const init = defineCommand({
  description: 'x',
  options: { force: flag('x') },
  async run() {
    return exitCodes.ok;
  },
});
