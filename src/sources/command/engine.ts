import { resolve } from 'node:path';
import { z } from 'zod';
import { duration, object, path, size, templates, text } from '../../core/notations.ts';
import { type BuildContext, defineEngine } from '../engine.ts';
import type { Command } from './run.ts';

/** What a shell would take for more than letters, also in a word's middle or before all words: without one it was not meant so. */
const forShell = /[|&;<>()$`\\"'*?[\]\n]|(?<!\S)[~#]|^\s*\w+=/;

const words = z.union([text, z.array(text).min(1, 'needs at least one word')], {
  error: 'must be a command, or a list of its words',
});

const whole = object({
  minBytes: size.optional().describe('It prints at least so much'),
  lastLine: text.optional().describe('Its last line that is not empty'),
  json: z.boolean().default(false).describe('It prints one JSON document, of at most 64 MiB'),
});

const keys = {
  run: words.describe('What prints it, on standard output'),
  shell: z.boolean().default(false).describe('/bin/sh runs run and restore'),
  env: templates,
  whole: whole.describe('What shows that all of it was printed, besides exit code 0'),
  restore: words.optional().describe('What takes it in again, on standard input'),
  file: path.optional().describe('The file that a restore writes'),
  timeout: duration.prefault('10m'),
};

export const commandEngine = defineEngine({
  kind: 'command',
  title: 'output of a command',
  holds: 'files',
  keys,
  refine({ run, restore, shell, whole, file }, context) {
    const refuse = (path: readonly string[], message: string, hint: string) =>
      context.addIssue({ code: 'custom', path: [...path], message, params: { hint } });
    for (const [key, command] of Object.entries({ run, restore })) {
      if (command === undefined) continue;
      if (shell && typeof command !== 'string') refuse([key], 'is one text for the shell', 'Write it as one text.');
      if (shell || typeof command !== 'string') continue;
      const [sign] = forShell.exec(command) ?? [];
      if (sign === undefined) continue;
      const hint = `Write its words as a list, [psql, -c, 'SELECT 1'], or add shell: true.`;
      refuse([key], `is run without a shell, which '${sign}' would need`, hint);
    }
    if (whole.minBytes === undefined && whole.lastLine === undefined && !whole.json) {
      const hint = 'An export that was cut short can end with exit code 0 too: { json: true }, or { lastLine: END }.';
      refuse(['whole'], 'says nothing', hint);
    }
    if (restore !== undefined && file !== undefined) {
      refuse(['file'], 'and restore exclude each other', 'A restore goes through the one or into the other.');
    }
  },
  build({ run, shell, env, whole, restore, file, timeout }, context) {
    const { minBytes, lastLine, json } = whole;
    const how = { env: environmentOf(env, context), timeoutMs: timeout, folder: context.root };
    const commandOf = (written: string | readonly string[]) => (shell ? inShell(written, how) : plain(written, how));
    return {
      run: commandOf(run),
      whole: { json, ...(minBytes !== undefined && { minBytes }), ...(lastLine !== undefined && { lastLine }) },
      ...(restore !== undefined && { restore: commandOf(restore) }),
      ...(file !== undefined && { file: resolve(context.root, file) }),
    };
  },
  placeOf: ({ file, restore, run }) => (file === undefined ? { command: (restore ?? run).shown } : { path: file }),
  runs: ({ run, restore }) => [run.shown, ...(restore === undefined ? [] : [restore.shown])],
  usual: { rpo: '1d', rto: '30m' },
  async open(name, dataset, { workFolder }) {
    const { commandSource } = await import('./source.ts');
    return commandSource({ ...dataset, name, ...(workFolder !== undefined && { workFolder }) });
  },
  roomFactor: 1.2,
});

function environmentOf(env: Readonly<Record<string, string>>, { expandable }: BuildContext): Command['env'] {
  return Object.fromEntries(Object.entries(env).map(([name, text]) => [name, expandable(text, name)]));
}

type How = Omit<Command, 'words' | 'shown'>;

function inShell(written: string | readonly string[], how: How): Command {
  const shown = String(written);
  return { ...how, shown, words: ['/bin/sh', '-c', shown] };
}

function plain(written: string | readonly string[], how: How): Command {
  const [program = '', ...args] = typeof written === 'string' ? written.trim().split(/\s+/) : written;
  const shown = typeof written === 'string' ? written : written.join(' ');
  return { ...how, shown, words: [program.includes('/') ? resolve(how.folder, program) : program, ...args] };
}
