import { randomBytes } from 'node:crypto';
import { newUlid } from '../../src/core/ulid.ts';
import { sealEpochKey } from '../../src/vault/epochs/epoch.ts';
import { encodeGrant } from '../../src/vault/format/grant.ts';
import { epochKeyKey, grantKey, parseKey } from '../../src/vault/format/keys.ts';
import { publicKeyOf } from '../../src/vault/format/signing.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { type Attack, add, keysOf, type Plant } from './hostile-attack.ts';

/** More than are tried, and than are read, of one epoch. */
const flood = 120;

/** Added among the keys of epochs. */
export const keyAdditions = {
  async 'epochs: junk and other secrets in the place of keys'(attack) {
    for (const epoch of await epochsOf(attack)) {
      for (let n = 0; n < flood; n++) {
        const junk = n % 10 === 0 ? sealEpochKey(randomBytes(32), [attack.recipient]) : randomBytes(200);
        await add(attack, epochKeyKey(epoch, sha256Hex(junk)), junk);
      }
    }
    const other = sha256Hex(randomBytes(8));
    await add(attack, epochKeyKey(other, sha256Hex(randomBytes(8))), randomBytes(200));
    return {};
  },
  async 'epochs: grants by strangers and by another system’s writer'(attack) {
    const [epoch] = await epochsOf(attack);
    const { vault } = attack.points[0]!;
    for (let n = 0; n < 25; n++) {
      const timeMs = Date.now() + n;
      const id = newUlid(timeMs, randomBytes);
      const object = randomBytes(200);
      const key = [sha256Hex(object), object.length] as const;
      const begins = { speaker: publicKeyOf(attack.keys.stranger), number: 1 + n * 1000 };
      const grant = {
        ...{ vault, id, time: new Date(timeMs).toISOString(), epoch: epoch!, key },
        recipients: [sha256Hex(object).slice(0, 32)],
        ...(n % 2 === 0 && { begins }),
      };
      await add(attack, epochKeyKey(epoch!, key[0]), object);
      await add(attack, grantKey(epoch!, id), encodeGrant(grant, attack.keys[n % 3 === 0 ? 'blog' : 'stranger']));
    }
    return {};
  },
} satisfies Record<string, Plant>;

/** Names of the vault's epochs. */
async function epochsOf({ honest }: Attack): Promise<string[]> {
  const parsed = (await honest.keys()).map(parseKey);
  return [...new Set(parsed.flatMap((one) => (one?.type === 'grant' ? [one.epoch] : [])))];
}

export const keyDestructions = {
  async 'epochs: all keys and grants gone'(attack) {
    const gone = await keysOf(attack, 'epoch-key', 'grant');
    for (const key of gone) await attack.hostile.remove(key);
    return { toldThere: gone.filter((key) => key.endsWith('.age')) };
  },
} satisfies Record<string, Plant>;
