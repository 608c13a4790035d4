import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { endorsingKey } from '../../src/vault/age/endorsing-key.ts';
import { endorsementBytes, signEndorsement } from '../../src/vault/format/endorsement.ts';
import { endorsementKey } from '../../src/vault/format/keys.ts';
import { newSigningKey, publicKeyOf, writerId } from '../../src/vault/format/signing.ts';
import { lifeboat, project } from '../cli/lifeboat.ts';

const ulidAt = (at: number) => `01KDVDNA00R8GDY8VMGXHZRM${String(at).padStart(2, '0')}`;

/** A host with a plain key, beside which nothing is written, and a bare machine. */
async function host() {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const safe = `${folder}.safe`;
  mkdirSync(join(safe, 'bare'), { recursive: true });
  onTestFinished(() => rmSync(safe, { recursive: true, force: true }));
  const key = join(safe, 'key.txt');
  const text = readFileSync(join(folder, 'lifeboat-keys/daily.txt'), 'utf8');
  const identity = text.trim().split('\n').at(-1)!;
  writeFileSync(key, `${identity}\n`, { mode: 0o600 });
  const vault = join(safe, 'vault');
  return {
    ...{ folder, safe, key, vault, text, identity },
    async here(...words: string[]) {
      const ran = await lifeboat(folder, words);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      return ran;
    },
    /** What the bare machine sees. */
    copy() {
      rmSync(vault, { recursive: true, force: true });
      cpSync(join(folder, 'backups'), vault, { recursive: true });
    },
    bare: (...words: string[]) => lifeboat(join(safe, 'bare'), words),
    writerKey: () => /writer (\S+) system/.exec(text)![1]!,
    vaultId: () => JSON.parse(readFileSync(join(folder, 'backups/vault.json'), 'utf8')).vault as string,
    endorsements: () =>
      readdirSync(join(folder, 'backups/endorsements'), { recursive: true, encoding: 'utf8' }).filter((one) =>
        one.endsWith('.json'),
      ),
  };
}

describe('C2: an identity vouches for its writers', () => {
  test('C2: a bare machine believes whom the key endorsed in a drill of the keys, for its system, and says why', async () => {
    const { here, copy, bare, vault, key, endorsements, writerKey } = await host();
    await here('backup');
    copy();
    expect(await bare('bootstrap', vault, '--identity', key, '--into', 'x')).toMatchObject({ code: 64 });
    await here('keys', 'check', '--identity', key);
    await here('keys', 'check', '--identity', key);
    // The second had nothing to add.
    expect(endorsements()).toHaveLength(1);
    copy();
    const ran = await bare('bootstrap', vault, '--identity', key, '--into', 'x');
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stdout).toContain('endorsed by the key');
    const { offer } = JSON.parse((await bare('bootstrap', vault, '--identity', key, '--into', 'x', '--json')).stdout);
    expect(offer.strangers).toEqual([]);
    expect(offer.believed).toContainEqual({ key: writerKey(), because: 'endorsed by the key' });
  });

  test('C2: beside it a newer forged configuration of a stranger is named and passed over, in silence never', async () => {
    const { here, copy, bare, vault, key, folder } = await host();
    await here('backup');
    await here('keys', 'check', '--identity', key);
    const file = join(folder, 'lifeboat.yaml');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, `${good}# hostile\n`);
    expect((await lifeboat(folder, ['backup'], { LIFEBOAT_STATE_DIR: join(folder, 'stranger') })).code).toBe(0);
    copy();
    const ran = await bare('bootstrap', vault, '--identity', key, '--into', 'x', '--json');
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain('was passed over');
    expect(readFileSync(join(vault, '../bare/x/lifeboat.yaml'), 'utf8')).toBe(good);
    const { offer, next } = JSON.parse(ran.stdout);
    expect(offer.strangers).toHaveLength(1);
    expect(offer.passedOver).toMatchObject([{ dataset: 'lifeboat-config' }]);
    expect(next).toContain('lifeboat recover');
    const recovered = await bare(
      'recover',
      '--config',
      'x/lifeboat.yaml',
      '--from',
      vault,
      '--identity',
      key,
      '--trust',
      '--json',
    );
    expect(recovered.code, recovered.stdout).toBe(1);
    expect(JSON.parse(recovered.stdout).passedOver.length).toBeGreaterThan(1);
    expect(recovered.stderr).toContain('was passed over');
  });

  test('C2: a drill or a check over a forged vault endorses this host alone, never the forger', async () => {
    const { here, folder, key, writerKey } = await host();
    // The store is a stranger's from the beginning: this host meets them there.
    expect((await lifeboat(folder, ['backup'], { LIFEBOAT_STATE_DIR: join(folder, 'stranger') })).code).toBe(0);
    await here('keys', 'check', '--identity', key);
    await here('restore', 'uploads', '--into', 'looked', '--identity', key);
    const root = join(folder, 'backups/endorsements');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.json'));
    const named = files.flatMap(
      (one) => JSON.parse(readFileSync(join(root, one), 'utf8')).writers as { key: string }[],
    );
    expect(named.map((one) => one.key)).toEqual([writerKey()]);
  });

  test('C2: forged, replayed from another vault, or older, an endorsement counts for nothing', async () => {
    const { here, copy, bare, vault, key, identity, vaultId } = await host();
    await here('backup');
    copy();
    const signing = endorsingKey(identity);
    const endorser = writerId(publicKeyOf(signing));
    const stranger = newSigningKey();
    const system = JSON.parse((await bare('bootstrap', vault, '--json')).stdout).survey.systems[0];
    const writers = [{ key: system.writers[0].key as string, systems: [system.system as string] }];
    const plain = { id: ulidAt(1), sequence: 1, time: '2026-01-01T00:00:00.000Z', writers };
    const put = (id: string, bytes: Uint8Array | string) => {
      const file = join(vault, endorsementKey(endorser, id));
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, bytes);
    };
    const refused = async () => {
      const ran = await bare('bootstrap', vault, '--identity', key, '--into', 'x');
      expect(ran).toMatchObject({ code: 64, stderr: expect.stringContaining('writers-unclear') });
    };
    const ours = { ...plain, vault: vaultId() };
    put(ulidAt(1), endorsementBytes(signEndorsement(ours, stranger.privateKey)));
    put(
      ulidAt(2),
      endorsementBytes({
        ...signEndorsement({ ...ours, id: ulidAt(2) }, stranger.privateKey),
        endorser: publicKeyOf(signing),
      }),
    );
    put(ulidAt(3), 'x'.repeat(2_000_000));
    put(ulidAt(4), endorsementBytes(signEndorsement({ ...plain, id: ulidAt(4), vault: ulidAt(0) }, signing)));
    put(
      ulidAt(5),
      endorsementBytes(
        signEndorsement({ ...ours, id: ulidAt(5), writers: [{ ...writers[0]!, systems: ['other'] }] }, signing),
      ),
    );
    await refused();
    // Once it counted; then the writer was left out.
    put(ulidAt(6), endorsementBytes(signEndorsement({ ...ours, id: ulidAt(6), sequence: 6 }, signing)));
    put(ulidAt(7), endorsementBytes(signEndorsement({ ...ours, id: ulidAt(7), sequence: 7, writers: [] }, signing)));
    await refused();
    // Put there again under a younger name, the older one is the older one.
    put(ulidAt(9), endorsementBytes(signEndorsement({ ...ours, id: ulidAt(9), sequence: 6 }, signing)));
    await refused();
    rmSync(join(vault, endorsementKey(endorser, ulidAt(7))));
    const ran = await bare('bootstrap', vault, '--identity', key, '--into', 'x');
    expect(ran.code, ran.stderr).toBe(0);
  });

  test('C2: whom the configuration does not list any more is endorsed no more', async () => {
    const { here, folder, key, writerKey, endorsements } = await host();
    await here('backup');
    const other = newSigningKey().publicKey;
    const file = join(folder, 'lifeboat.yaml');
    const plain = readFileSync(file, 'utf8');
    const listing = (keys: string[]) => plain.replace(/^vault:$/m, `$&\n  writers: ${JSON.stringify(keys)}`);
    const newest = () => {
      const root = join(folder, 'backups/endorsements');
      const all = endorsements().map((one) => JSON.parse(readFileSync(join(root, one), 'utf8')));
      return all.sort((a, b) => a.sequence - b.sequence).at(-1) as { sequence: number; writers: { key: string }[] };
    };
    writeFileSync(file, listing([other]));
    await lifeboat(folder, ['keys', 'check', '--identity', key]);
    expect(
      newest()
        .writers.map((one) => one.key)
        .sort(),
    ).toEqual([other, writerKey()].sort());
    writeFileSync(file, listing([writerKey()]));
    await here('keys', 'check', '--identity', key);
    expect(newest()).toMatchObject({ sequence: 2, writers: [{ key: writerKey() }] });
  });

  test('C2: a key file that names another vault stops everything; one that names this one needs no question', async () => {
    const { here, copy, bare, vault, safe, text, folder } = await host();
    await here('backup');
    copy();
    const mine = join(safe, 'daily.txt');
    writeFileSync(mine, text, { mode: 0o600 });
    expect((await bare('bootstrap', vault, '--identity', mine, '--into', 'x')).stdout).toContain(
      'written beside the key',
    );
    const foreign = join(safe, 'foreign.txt');
    writeFileSync(foreign, text.replace(/vault 01\w+/, `vault ${ulidAt(0)}`), { mode: 0o600 });
    for (const words of [
      ['bootstrap', vault, '--into', 'y'],
      ['bootstrap', vault, '--into', 'y', '--trust'],
      ['recover', '--config', 'x/lifeboat.yaml', '--from', vault, '--trust'],
    ]) {
      const ran = await bare(...words, '--identity', foreign);
      expect(ran, words.join(' ')).toMatchObject({ code: 2, stderr: expect.stringContaining('key-of-another-vault') });
    }
    expect(readdirSync(join(safe, 'bare'))).not.toContain('y');
    // So do sheets, and the key that is put together from them.
    const sheets = (await here('keys', 'split', '--identity', 'lifeboat-keys/daily.txt', '--into', 'sheets')).stdout;
    expect(sheets).toContain('share-1-of-5');
    const [one, two, three] = [1, 2, 3].map((at) =>
      join(folder, `sheets/share-${at}-of-5.${at === 2 ? 'html' : 'txt'}`),
    );
    const given = [one, two, three].flatMap((sheet) => ['--identity', sheet!]);
    expect((await bare('bootstrap', vault, ...given, '--into', 'z')).stdout).toContain('written beside the key');
    await here('keys', 'combine', '--into', 'combined.txt', one!, two!, three!);
    expect(readFileSync(join(folder, 'combined.txt'), 'utf8')).toContain(/^# vault .*$/m.exec(text)![0]);
  });
});
