import { checkJob } from '../jobs/check.ts';
import type { Checked } from '../operations/probe/checked.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';
import { requestLines } from './request-text.ts';

export const check = defineCommand({
  description: `The configuration, the keys, each destination, each dataset with the versions of its server and tools,
and the clocks. A destination is tried with small objects: written, read back, overwritten, removed, and where it locks, locked,
shortened and deleted; what it really protects from is said in words. Exit code 1 when something would stop a backup, or when a
lock that lifeboat.yaml asks for does not hold.`,
  options: {},
  async run({ job, out }) {
    const { document, answer } = await job(checkJob, {});
    out.answer(document, (document, style) =>
      [...document.checks.map((one) => checkText(one, style)), ...requestLines(document.requests, style)].join('\n'),
    );
    return exitCodes[answer];
  },
});

function checkText({ area, name, result, message, hint }: Checked, style: Style): string {
  const mark = { good: style.good('✓'), warning: style.warn('!'), bad: style.bad('✗') }[result];
  const line = `${mark} ${area} ${style.bold(name)}: ${message}`;
  return hint === undefined ? line : `${line}\n    ${hint}`;
}
