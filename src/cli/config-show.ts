import { stringify } from 'yaml';
import { showable } from '../config/show.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const configShow = defineCommand({
  description: 'Secrets are shown as they are referred to, never their values.',
  options: {},
  async run({ config, out }) {
    out.answer(showable(await config()), (document) => stringify(document, { lineWidth: 0 }));
    return exitCodes.ok;
  },
});
