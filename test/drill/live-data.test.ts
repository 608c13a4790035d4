import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { setStage } from './stage.ts';

const server = `import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
createServer(({ url }, answer) => {
  try { answer.end(url === '/' ? 'ok' : readFileSync('.' + url)); }
  catch { answer.writeHead(404).end(); }
}).listen(process.env.PORT, '127.0.0.1');
`;

const drill = `
  app: { start: exec "$NODE" files.mjs, ready: "http://127.0.0.1:\${PORT}/", env: { NODE: "\${NODE}" } }
  checks:
    own: { type: http, steps: [ { path: /data/uploads/1.pdf, expect: { contains: upload 1 } } ] }
    linked: { type: http, steps: [ { path: /data/uploads/volume/contract.txt, expect: { contains: live } } ] }
    beside: { type: http, steps: [ { path: /extra/contract.txt, expect: { contains: live } } ] }
`;

test('drill-01: an application does not see what links lead to in no backup, and what else it read of this host is named', async () => {
  // Not below /tmp, of which a sandbox has its own.
  const volume = mkdtempSync('/var/tmp/lifeboat-test-');
  onTestFinished(() => rmSync(volume, { recursive: true }));
  chmodSync(volume, 0o755);
  writeFileSync(join(volume, 'contract.txt'), 'live');
  await using stage = await setStage(await temporaryFolder(), {
    drill,
    prepare(folder) {
      writeFileSync(join(folder, 'files.mjs'), server);
      mkdirSync(join(folder, 'extra'));
      for (const name of ['contract.txt', 'unread.txt']) writeFileSync(join(folder, 'extra', name), 'live');
      symlinkSync(volume, join(folder, 'data/uploads/volume'));
    },
  });
  expect(await stage.backUp()).toMatchObject([{ code: 'link-leads-out' }]);
  const { outcome } = await stage.drill({ system: (system) => ({ ...system, accepted: [] }) });
  const verdicts = Object.fromEntries(outcome.checks.map(({ id, verdict }) => [id, verdict]));
  expect(verdicts).toMatchObject({ own: 'pass', linked: 'fail', beside: 'pass' });
  expect(outcome.notes.join('\n')).toContain(`The application did not see ${volume}: links lead there`);
  // The kernel tells nobody but root.
  const read = `The application read what no backup holds: ${stage.folder}/files.mjs, ${stage.folder}/extra/contract.txt.`;
  if (outcome.isolation?.footing === 'root') expect(outcome.notes.join('\n')).toContain(read);

  const accepted = ['link-leads-out', 'code-not-backed-up'].map((what) => ({ what, reason: 'a test' }));
  const again = await stage.drill({ system: (system) => ({ ...system, accepted }) });
  expect(again.outcome.verdict).toBe('proved');
  expect(again.outcome.notes.join('\n')).not.toContain('did not see');
  if (outcome.isolation?.footing === 'root')
    expect(again.outcome.notes.join('\n')).toContain(`what no backup holds: ${volume}/contract.txt.`);
});
