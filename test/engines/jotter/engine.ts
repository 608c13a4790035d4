import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Expectations } from '../../../src/core/expectations.ts';
import { path, reason, text } from '../../../src/core/notations.ts';
import { pathFromText } from '../../../src/core/paths.ts';
import { defineEngine } from '../../../src/sources/engine.ts';
import { datasetVanished, targetNotEmpty } from '../../../src/sources/errors.ts';
import { markOf } from '../../../src/sources/mark.ts';
import type { Contents, Source } from '../../../src/sources/source.ts';

/** A database that nobody has: a line `name=value` for each of its notes, after a line that says what it is. */
const head = 'JOTTER 1\n';

export const jotterEngine = defineEngine({
  kind: 'jotter',
  title: 'Jotter',
  holds: 'tables',
  keys: { path, exclude: z.record(text, reason).default({}) },
  build: ({ path, exclude }, { root }) => ({ path: resolve(root, path), exclude }),
  placeOf: ({ path }) => ({ path }),
  rulesOf: ({ exclude }) => Object.entries(exclude).map(([rule, reason]) => ({ rule, by: 'exclude', reason })),
  usual: { rpo: '5m', rto: '5m' },
  recognises: (file) => readFileSync(file, 'utf8').startsWith(head),
  open: async (_, { path, exclude }) => jotterSource(path, Object.keys(exclude)),
  roomFactor: 3,
  companions: ['.draft'],
  async *query({ outside }, query) {
    const notes = notesOf(readFileSync(outside, 'utf8'));
    if (query === 'count') yield { columns: ['count'], rows: [[String(notes.size)]] };
    else if (query.startsWith('note ')) yield { columns: ['value'], rows: [[notes.get(query.slice(5)) ?? null]] };
    else throw new Error(`jotter does not know '${query}'`);
  },
});

function jotterSource(home: string, excluded: readonly string[]): Source {
  const look = (file: string) => {
    if (!existsSync(file)) throw datasetVanished({ path: file, why: 'does not exist' });
    return readFileSync(file, 'utf8');
  };
  return {
    kind: 'jotter',
    profile: 'database',
    location: home,
    hostPaths: [home],
    async inspect() {
      return { versions: { jotter: '1' }, sizeBytes: look(home).length, problems: [] };
    },
    async capture() {
      const all = notesOf(look(home));
      for (const name of excluded) all.delete(name);
      const bytes = Buffer.from(textOf(all));
      const { mode, uid, gid, mtimeNs } = statSync(home, { bigint: true });
      const about = { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtimeNs };
      const name = pathFromText(basename(home));
      return {
        entries: (async function* () {
          yield { type: 'file', path: name, ...about, content: { from: 'bytes', bytes } } as const;
        })(),
        finish: async () => ({ facts: { notes: all.size }, expectations: expected(all), problems: [] }),
        [Symbol.asyncDispose]: async () => {},
      };
    },
    async restore(contents, { into = home, force, beforePlacing }) {
      if (existsSync(into) && !force) throw targetNotEmpty({ target: into });
      const text = await textIn(contents);
      mkdirSync(dirname(into), { recursive: true });
      const fresh = `${into}.${randomBytes(4).toString('hex')}`;
      await writeFile(fresh, text);
      const mark = await markOf(pathFromText(fresh));
      if (mark !== undefined) beforePlacing?.(mark);
      await rename(fresh, into);
      return { where: into, files: 1, bytes: text.length, problems: [] };
    },
    wasPlaced: async (mark) => (await markOf(pathFromText(home))) === mark,
    isBare: async () => !existsSync(home),
    async measure(where) {
      const text = look(where);
      const isWhole = text.startsWith(head);
      const integrity = {
        name: 'integrity',
        ok: isWhole,
        looked: 1,
        detail: isWhole ? '' : `${where} has lost its head`,
      };
      return { actual: expected(notesOf(text)), integrity: [integrity] };
    },
    async openSaboteur(where) {
      const whole = readFileSync(where);
      const aimed = (what: string, strike: () => void) => ({
        ...{ where, what, names: [what] },
        look: async () => readFileSync(where, 'utf8'),
        strike: async () => strike(),
        [Symbol.asyncDispose]: async () => writeFileSync(where, whole),
      });
      return {
        sabotages: [
          {
            name: 'a note is lost',
            harm: 'rows',
            async aim() {
              const notes = notesOf(whole.toString());
              return aimed('notes', () => {
                notes.delete([...notes.keys()][0] ?? '');
                writeFileSync(where, textOf(notes));
              });
            },
          },
        ],
        [Symbol.asyncDispose]: async () => {},
      };
    },
  };
}

function notesOf(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line.includes('='));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function textOf(notes: ReadonlyMap<string, string>): string {
  return head + [...notes].map(([name, value]) => `${name}=${value}\n`).join('');
}

async function textIn(contents: Contents): Promise<string> {
  let text = '';
  for await (const { path } of contents.entries())
    for await (const bytes of contents.read(path)) text += Buffer.from(bytes).toString();
  return text;
}

function expected(notes: ReadonlyMap<string, string>): Expectations {
  const checksum = createHash('sha256').update(textOf(notes)).digest('hex');
  return { algorithm: 'jotter-1', tables: [{ table: 'notes', rows: notes.size, checksum }] };
}
