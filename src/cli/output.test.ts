import { describe, expect, test } from 'vitest';
import { inLocale } from './locale-signs.ts';
import { createOutput, printable, table, tableWithin } from './output.ts';
import { createProgress, describe as describeStep, urgentOnly } from './progress.ts';

function collect() {
  let text = '';
  return { write: (piece: string) => (text += piece), text: () => text };
}

function output(how: { json?: boolean; jsonEvents?: boolean; quiet?: boolean; color?: boolean }) {
  const [stdout, stderr] = [collect(), collect()];
  const options = { json: false, jsonEvents: false, quiet: false, color: false, columns: 80, ...how };
  return { out: createOutput({ ...options, stdout, stderr, progress: urgentOnly(stderr) }), stdout, stderr };
}

describe('what reaches a terminal', () => {
  test('terminal-19: rows that are wider than it go on in further lines, and no word is lost', () => {
    const rows = [
      ['  Fri 27 Nov 23:40', '\x1b[2m01M8FP45QPE85GVKW9YVH6324D\x1b[0m', '160 KiB', '', 'local, second'],
      ['  Thu 26 Nov 9:00', '01M8FP45QPE85GVKW9YVH6324E', '1 B', 'kept: newest, last 7, until about 2027-01-01', ''],
    ];
    expect(tableWithin(rows, 200)).toBe(table(rows));
    for (const columns of [30, 40, 60]) {
      const text = tableWithin(rows, columns);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours have no width
      const plain = text.replace(/\x1b\[\d+m/g, '');
      for (const line of plain.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns);
      const words = rows.flat().join(' ').split(/\s+/).filter(Boolean);
      expect(text.split(/\s+/).filter(Boolean)).toEqual(words);
    }
  });

  test('terminal-19: signs are of ASCII where a locale is named that is not of UTF-8; names of files stay', () => {
    const said = (env: Record<string, string>) => {
      const stream = collect();
      inLocale(stream, env).write('✓ a … ✗ ä.txt → b');
      return stream.text();
    };
    expect(said({ LANG: 'C' })).toBe('+ a ... x ä.txt -> b');
    expect(said({ LANG: 'en_US.UTF-8', LC_ALL: 'POSIX' })).toBe('+ a ... x ä.txt -> b');
    for (const env of [{}, { LANG: '' }, { LANG: 'C.UTF-8' }, { LC_CTYPE: 'de_DE.utf8', LANG: 'C' }]) {
      expect(said(env)).toBe('✓ a … ✗ ä.txt → b');
    }
  });

  test('no control character but newlines and, where there is colour, our own colours', () => {
    const text = 'a\x1b]0;evil\x07b\x1b[31mred\x1b[0m\x1b[2J\r\tc\n\u202ed\x9bx\u061c';
    expect(printable(text, true)).toBe(
      'a\\x1b]0;evil\\x07b\x1b[31mred\x1b[0m\\x1b[2J\\x0d\\x09c\n\\u202ed\\x9bx\\u061c',
    );
    expect(printable(text)).toBe('a\\x1b]0;evil\\x07b\\x1b[31mred\\x1b[0m\\x1b[2J\\x0d\\x09c\n\\u202ed\\x9bx\\u061c');
  });

  test('JSON says the same name without a character that a terminal obeys', () => {
    const { out, stdout } = output({ json: true });
    const name = 'x\x1b[2J\x9b31m\u202etxt\x7f\u2028';
    out.answer({ name }, () => '');
    expect(stdout.text()).toMatch(/^[\n -~]*$/);
    expect(JSON.parse(stdout.text())).toEqual({ name });
  });

  test('names in answers and notes are made harmless', () => {
    const { out, stdout, stderr } = output({});
    out.answer({ name: 'x\x1b[2J' }, ({ name }) => name);
    out.note('y\x07');
    expect([stdout.text(), stderr.text()]).toEqual(['x\\x1b[2J\n', 'y\\x07\n']);
  });

  test('columns line up, colours and wide names notwithstanding', () => {
    const rows = [
      ['\x1b[32m✓\x1b[0m', 'app-db', 'x'],
      ['✗', 'äö', 'longer'],
    ];
    expect(table(rows)).toBe('\x1b[32m✓\x1b[0m  app-db  x\n✗  äö      longer');
  });
});

describe('answers', () => {
  test('are one JSON document, in which large integers stay exact', () => {
    const { out, stdout, stderr } = output({ json: true });
    out.note('aside');
    out.answer({ bytes: 2n ** 60n }, () => 'text');
    expect(JSON.parse(stdout.text())).toEqual({ bytes: '1152921504606846976' });
    expect(stderr.text()).toBe('');
  });

  test('--quiet keeps what was asked for and what went wrong, and leaves out closing words', () => {
    const { out, stdout, stderr } = output({ quiet: true });
    out.done({}, () => 'done');
    out.note('aside');
    expect([stdout.text(), stderr.text()]).toEqual(['', '']);
    out.done({}, () => 'gaps', false);
    out.answer({}, () => 'answer');
    expect(stdout.text()).toBe('gaps\nanswer\n');
  });

  test('long ones stream: lines, one array, or events', async () => {
    async function* items() {
      yield* [1, 2];
    }
    const streamed = async (how: Parameters<typeof output>[0]) => {
      const { out, stdout } = output(how);
      await out.stream(items(), (item) => ({ item }), String);
      return stdout.text();
    };
    expect(await streamed({})).toBe('1\n2\n');
    expect(JSON.parse(await streamed({ json: true }))).toEqual([{ item: 1 }, { item: 2 }]);
    expect(await streamed({ jsonEvents: true })).toBe(
      '{"type":"item","item":{"item":1}}\n{"type":"item","item":{"item":2}}\n',
    );
    const { out, stdout } = output({ json: true });
    await out.stream((async function* () {})(), () => ({}), String);
    expect(JSON.parse(stdout.text())).toEqual([]);
  });
});

describe('progress', () => {
  const clockAt = (at: { ms: number }) => ({ now: () => 0, elapsed: () => at.ms });

  test('says how far, how fast and how long still', () => {
    const counted = { doneBytes: 1.2 * 1024 ** 3, totalBytes: 2.4 * 1024 ** 3, label: 'uploads' };
    expect(describeStep('store', counted, 200 * 1024 ** 2, true)).toBe(
      'store  [##########----------]  50 %  1.2 GiB of 2.4 GiB  200 MiB/s  6 s left  uploads',
    );
    expect(describeStep('walk', { doneItems: 1204 }, undefined, true)).toBe('walk  1,204');
    expect(describeStep('store', {}, undefined, true)).toBe('store');
  });

  test('moves one line at most ten times a second, and clears it', () => {
    const at = { ms: 0 };
    const stream = { ...collect(), isTTY: true, columns: 60 };
    const progress = createProgress(stream, clockAt(at));
    progress.onEvent({ type: 'step-started', id: 1, step: 'store' });
    for (at.ms = 1; at.ms <= 1000; at.ms++) {
      progress.onEvent({
        type: 'progress',
        id: 1,
        step: 'store',
        progress: { doneBytes: at.ms, totalBytes: 1000, label: 'x\x1b[2J'.repeat(20) },
      });
    }
    const text = stream.text();
    expect(text.split('\r').length - 1).toBeLessThanOrEqual(12);
    expect(text.replaceAll('\x1b[K', '')).not.toContain('\x1b');
    expect(Math.max(...text.split('\r\x1b[K').map((line) => line.length))).toBeLessThan(60);
    progress.onEvent({ type: 'step-ended', id: 1, step: 'store', elapsedMs: 1000, failed: false });
    expect(stream.text().endsWith('\r\x1b[K✓ store  1 s\n')).toBe(true);
  });

  test('without a terminal a line for each step that took its time or failed, and for a long one now and then', () => {
    const at = { ms: 0 };
    const stream = collect();
    const progress = createProgress(stream, clockAt(at));
    progress.onEvent({ type: 'step-started', id: 1, step: 'app/store' });
    for (at.ms = 0; at.ms < 70_000; at.ms += 1000) {
      progress.onEvent({ type: 'progress', id: 1, step: 'app/store', progress: { doneItems: at.ms } });
    }
    progress.onEvent({
      type: 'problem',
      id: 1,
      step: 'app/store',
      problem: { code: 'c', message: 'unreadable: \x07' },
    });
    progress.onEvent({ type: 'step-ended', id: 1, step: 'app/commit', elapsedMs: 70_000, failed: false });
    progress.onEvent({ type: 'step-ended', id: 1, step: 'keep', elapsedMs: 2, failed: false });
    progress.onEvent({ type: 'step-ended', id: 1, step: 'app/store', elapsedMs: 70_000, failed: true });
    progress.onEvent({ type: 'step-ended', id: 1, step: 'app', elapsedMs: 71_000, failed: false });
    expect(stream.text()).toBe(
      'app/store  30,000\napp/store  60,000\n! unreadable: \\x07\n✗ app/store  1 min 10 s\n✓ app  1 min 11 s\n',
    );
  });
});
