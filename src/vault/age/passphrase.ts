import { createDecipheriv, scrypt } from 'node:crypto';
import { armor, type Identity } from 'age-encryption';
import { headerDamaged, noIdentityFits, passphraseWrong } from './errors.ts';
import { openHeaderWith } from './header.ts';
import { openPayload } from './stream.ts';

const LABEL = 'age-encryption.org/v1/scrypt';
const SALT_SIZE = 16;
const BODY_SIZE = 32;
const TAG_SIZE = 16;
/** age writes 18; 20 takes 1 GiB of memory, and each more doubles it. */
const MAX_WORK_FACTOR = 20;

/** Whether `file` is an age file, binary or with armor. */
export function isAgeFile(file: Uint8Array): boolean {
  const start = Buffer.from(file.subarray(0, 64)).toString('latin1').trimStart();
  return start.startsWith('age-encryption.org/') || start.startsWith('-----BEGIN AGE ENCRYPTED FILE-----');
}

/**
 * The plaintext of a small file that `age -p` made. `of` names it in errors.
 * @throws `passphrase-wrong`, `header-damaged`, `stream-damaged`
 */
export async function openProtected(file: Uint8Array, passphrase: string, of: string): Promise<Uint8Array> {
  const bytes = unarmored(file);
  try {
    const { fileKey, headerSize } = await openHeaderWith(bytes, [scryptIdentity(passphrase)]);
    return openPayload(bytes.subarray(headerSize), fileKey);
  } catch (error) {
    if (noIdentityFits.is(error)) throw passphraseWrong({ of });
    throw error;
  }
}

function unarmored(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString('latin1').trim();
  if (!text.startsWith('-----BEGIN')) return file;
  try {
    return armor.decode(text);
  } catch {
    throw headerDamaged({ why: 'its armor is damaged' });
  }
}

function scryptIdentity(passphrase: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const [stanza] = stanzas;
      if (stanza?.args[0] !== 'scrypt') return null;
      // A second one would let others read along.
      if (stanzas.length !== 1 || stanza.args.length !== 3) throw new Error('a scrypt stanza stands alone');
      const salt = Buffer.from(stanza.args[1] ?? '', 'base64');
      const workFactor = Number(stanza.args[2]);
      const isCanonical = salt.toString('base64').replace(/=+$/, '') === stanza.args[1];
      if (!isCanonical || salt.length !== SALT_SIZE || stanza.body.length !== BODY_SIZE)
        throw new Error('the stanza is malformed');
      if (!/^[1-9]\d?$/.test(stanza.args[2] ?? '') || workFactor > MAX_WORK_FACTOR) {
        throw new Error('its work factor is out of bounds');
      }
      const key = await deriveKey(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 2 ** workFactor);
      const decipher = createDecipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: TAG_SIZE });
      decipher.setAuthTag(stanza.body.subarray(-TAG_SIZE));
      const fileKey = Uint8Array.from(decipher.update(stanza.body.subarray(0, -TAG_SIZE)));
      try {
        decipher.final();
        return fileKey;
      } catch {
        return null;
      }
    },
  };
}

function deriveKey(passphrase: string, salt: Buffer, cost: number): Promise<Buffer> {
  const options = { N: cost, r: 8, p: 1, maxmem: cost * 8 * 128 + 2 ** 24 };
  return new Promise((done, failed) => {
    scrypt(passphrase, salt, 32, options, (error, key) => (error === null ? done(key) : failed(error)));
  });
}
