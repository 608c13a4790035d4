import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { startProcess } from '../../process/start.ts';
import { openMemory } from '../memory/destination.ts';
import { withFaults } from './fault.ts';
import { readOnly } from './read-only.ts';

const body = Buffer.from('0123456789');

test('a fault hits the call it names: by verb, key and number, or the Nth of all', async () => {
  const script = [
    { verb: 'get', key: /^packs\//, nth: 2, kind: 'error-before' },
    { nth: 6, kind: 'error-before' },
  ] as const;
  const faulty = withFaults(openMemory({ name: 'ram' }), script);
  await faulty.put('packs/1', body);
  await faulty.put('other', body);
  await faulty.get('packs/1');
  await faulty.get('other');
  expect(faulty.unreached()).toEqual(script);
  await expect(faulty.get('packs/1')).rejects.toMatchObject({ code: 'destination-unreachable' });
  await expect(faulty.stat('other')).rejects.toMatchObject({ code: 'destination-unreachable' });
  await faulty.stat('other');
  expect(faulty.unreached()).toEqual([]);
  expect([faulty.calls(), faulty.calls('get'), faulty.calls('delete')]).toEqual([7, 3, 0]);
});

test('error-before does nothing, error-after does it', async () => {
  const memory = openMemory({ name: 'ram' });
  const faulty = withFaults(memory, [
    { key: /before/, kind: 'error-before' },
    { key: /after/, kind: 'error-after' },
  ]);
  await expect(faulty.put('before', body)).rejects.toThrow();
  await expect(faulty.put('after', body)).rejects.toThrow();
  await expect(memory.stat('before')).rejects.toMatchObject({ code: 'object-missing' });
  expect(await memory.stat('after')).toMatchObject({ sizeBytes: 10 });
});

test('damage reaches what is stored or what is read, never the caller’s own bytes', async () => {
  const memory = openMemory({ name: 'ram' });
  const faulty = withFaults(memory, [
    { verb: 'put', key: /short/, kind: 'truncate' },
    { verb: 'get', key: /whole/, nth: 1, kind: 'flip-bit' },
  ]);
  await faulty.put('short', body);
  await faulty.put('whole', body);
  expect((await memory.get('short')).length).toBe(5);
  expect(Buffer.from(await faulty.get('whole')).toString()).toBe('01234%6789');
  expect(Buffer.from(await faulty.get('whole')).toString()).toBe('0123456789');
  expect(body.toString()).toBe('0123456789');
});

test('a hanging call ends with its signal', async () => {
  const faulty = withFaults(openMemory({ name: 'ram' }), [{ verb: 'get', kind: 'hang' }]);
  const signal = AbortSignal.timeout(10);
  await expect(faulty.get('a', undefined, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
});

test.each([
  ['kill-before', ''],
  ['kill-after', 'stored\n'],
])('%s ends the process at that point', async (kind, said) => {
  const file = join(await temporaryFolder(), 'killed.ts');
  const from = (path: string) => JSON.stringify(join(import.meta.dirname, path));
  await writeFile(
    file,
    `import { writeSync } from 'node:fs';
     import { withFaults } from ${from('fault.ts')};
     import { openMemory } from ${from('../memory/destination.ts')};
     const memory = openMemory({ name: 'ram' });
     const telling = { ...memory, put: async (...all) => { writeSync(1, 'stored\\n'); return memory.put(...all); } };
     await withFaults(telling, [{ verb: 'put', kind: '${kind}' }]).put('a', Buffer.from('x'));
     writeSync(1, 'lived\\n');`,
  );
  await using child = await startProcess(process.execPath, [file]);
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
  expect(output).toBe(said);
});

test('read-only refuses to change and still reads', async () => {
  const memory = openMemory({ name: 'ram' });
  await memory.put('a', body);
  const guarded = readOnly(memory);
  await expect(guarded.put('b', body)).rejects.toMatchObject({ code: 'destination-read-only' });
  await expect(guarded.delete('a')).rejects.toMatchObject({ code: 'destination-read-only' });
  expect(Buffer.compare(await guarded.get('a'), body)).toBe(0);
});
