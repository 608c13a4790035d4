import { sentenceOf } from '../../core/errors.ts';
import { identityInvalid, passphraseWrong } from './errors.ts';
import { parseIdentityFile, sshIdentityText } from './identity.ts';
import type { AskPassphrase } from './ssh/private-key.ts';

export interface OpenedIdentityFile {
  readonly identities: readonly string[];
  /** Its text, opened: comments are in it, and the key. */
  readonly text: string;
}

/**
 * The identities in a file as `age -i` takes it: AGE-SECRET-KEY lines, the same protected by a passphrase (`age -p`), or an
 * SSH private key. `ask` is called at most once, and only where there is a passphrase. `of` names the file in errors.
 * @throws `identity-invalid`, `passphrase-wrong`, `header-damaged`, `stream-damaged`
 */
export async function openIdentityFile(file: Uint8Array, of: string, ask: AskPassphrase): Promise<OpenedIdentityFile> {
  const { isAgeFile, openProtected } = await import('./passphrase.ts');
  const plain = isAgeFile(file) ? await openProtected(file, await ask(), of) : file;
  const text = Buffer.from(plain).toString('utf8');
  const isSsh = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
  return { identities: isSsh ? [await readSsh(text, of, ask)] : parseIdentityFile(text), text };
}

async function readSsh(pem: string, of: string, ask: AskPassphrase): Promise<string> {
  const { readPrivateKey, WrongPassphrase } = await import('./ssh/private-key.ts');
  try {
    return sshIdentityText(await readPrivateKey(pem, ask));
  } catch (error) {
    if (error instanceof WrongPassphrase) throw passphraseWrong({ of });
    // What `ask` says has a code of its own.
    if (error instanceof Error && 'code' in error) throw error;
    throw identityInvalid({ why: sentenceOf(error) });
  }
}
