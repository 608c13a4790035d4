import { scrypt } from 'node:crypto';
import { headerDamaged, noIdentityFits, passphraseWrong } from './errors.ts';
import { openHeaderWith } from './header.ts';
import { bytesOfUnpadded, type Identity, openFileKey } from './stanza.ts';
import { openPayload } from './stream.ts';

const LABEL = 'age-encryption.org/v1/scrypt';
const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';
const SALT_SIZE = 16;
/** age writes 18; 20 takes 1 GiB of memory, and each more doubles it. */
const MAX_WORK_FACTOR = 20;

/** Whether `file` is an age file, binary or with armor. */
export function isAgeFile(file: Uint8Array): boolean {
  const start = Buffer.from(file.subarray(0, 64)).toString('latin1').trimStart();
  return start.startsWith('age-encryption.org/') || start.startsWith(BEGIN);
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

/** What stands in armor: base64 in lines of 64, the last of 1 to 64, and nothing beside it but white space. */
function unarmored(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString('latin1').trim();
  if (!text.startsWith('-----BEGIN')) return file;
  const [first, ...lines] = text.split(/\r?\n/);
  const last = lines.pop();
  const body = lines.join('');
  const bytes = Uint8Array.from(Buffer.from(body, 'base64'));
  const isStrict =
    first === BEGIN &&
    last === END &&
    lines.every((line, at) => line.length === 64 || (at === lines.length - 1 && line !== '' && line.length < 64)) &&
    Buffer.from(bytes).toString('base64') === body;
  if (!isStrict) throw headerDamaged({ why: 'its armor is damaged' });
  return bytes;
}

function scryptIdentity(passphrase: string): Identity {
  return {
    async unwrap(stanzas) {
      const [stanza] = stanzas;
      if (stanza?.args[0] !== 'scrypt') return null;
      // A second one would let others read along.
      if (stanzas.length !== 1 || stanza.args.length !== 3) throw new Error('a scrypt stanza stands alone');
      const salt = bytesOfUnpadded(stanza.args[1] ?? '');
      const workFactor = Number(stanza.args[2]);
      if (salt?.length !== SALT_SIZE) throw new Error('the stanza is malformed');
      if (!/^[1-9]\d?$/.test(stanza.args[2] ?? '') || workFactor > MAX_WORK_FACTOR) {
        throw new Error('its work factor is out of bounds');
      }
      return openFileKey(
        stanza.body,
        await deriveKey(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 2 ** workFactor),
      );
    },
  };
}

function deriveKey(passphrase: string, salt: Buffer, cost: number): Promise<Buffer> {
  const options = { N: cost, r: 8, p: 1, maxmem: cost * 8 * 128 + 2 ** 24 };
  return new Promise((done, failed) => {
    scrypt(passphrase, salt, 32, options, (error, key) => (error === null ? done(key) : failed(error)));
  });
}
