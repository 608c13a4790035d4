import { sentenceOf } from '../../core/errors.ts';
import { identityInvalid, passphraseWrong } from './errors.ts';
import { parseIdentityFile, sshIdentityText } from './identity.ts';
import { isAgeFile, openProtected } from './passphrase.ts';
import { type AskPassphrase, readPrivateKey, WrongPassphrase } from './ssh/private-key.ts';

/**
 * The identities in a file as `age -i` takes it: AGE-SECRET-KEY lines, the same protected by a passphrase (`age -p`), or an
 * SSH private key. `ask` is called at most once, and only where there is a passphrase. `of` names the file in errors.
 * @throws `identity-invalid`, `passphrase-wrong`, `header-damaged`, `stream-damaged`
 */
export async function openIdentityFile(file: Uint8Array, of: string, ask: AskPassphrase): Promise<readonly string[]> {
  if (isAgeFile(file)) {
    const plain = await openProtected(file, await ask(), of);
    const text = Buffer.from(plain).toString('utf8');
    return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) ? [await readSsh(text, of, ask)] : parseIdentityFile(text);
  }
  const text = Buffer.from(file).toString('utf8');
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) ? [await readSsh(text, of, ask)] : parseIdentityFile(text);
}

async function readSsh(pem: string, of: string, ask: AskPassphrase): Promise<string> {
  try {
    return sshIdentityText(await readPrivateKey(pem, ask));
  } catch (error) {
    if (error instanceof WrongPassphrase) throw passphraseWrong({ of });
    // What `ask` says has a code of its own.
    if (error instanceof Error && 'code' in error) throw error;
    throw identityInvalid({ why: sentenceOf(error) });
  }
}
