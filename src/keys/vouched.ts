import { isUlid } from '../core/ulid.ts';

/** What is written beside a private key, on paper or in its file: whose restore points it was made to open. */
export interface Vouched {
  /** ULID of the vault. */
  readonly vault: string;
  /** Ed25519 public key of a writer, base64. */
  readonly writer: string;
  /** The system that it writes. */
  readonly system: string;
}

const LINE =
  /^\s*(?:<p>)?(?:#\s*)?vault\s+([0-9A-Z]{26})\s+writer\s+([A-Za-z0-9+/]{43}=)\s+system\s+([a-z0-9][a-z0-9-]{0,39})\s*(?:<\/p>)?\s*$/;
/** More than that no person wrote. */
const mostLines = 100;

/** `vault 01K… writer 3q2+…= system shop`: what a comment of a key file and a line of a sheet hold. */
export function vouchedLine({ vault, writer, system }: Vouched): string {
  return `vault ${vault} writer ${writer} system ${system}`;
}

/** Those in the text of a key file (as comments) or of a sheet, each once. */
export function vouchedIn(text: string): Vouched[] {
  const found = new Map<string, Vouched>();
  for (const line of text.split(/\r?\n/)) {
    const [, vault = '', writer = '', system = ''] = LINE.exec(line) ?? [];
    if (isUlid(vault) && found.size < mostLines) found.set(`${vault} ${writer} ${system}`, { vault, writer, system });
  }
  return [...found.values()];
}
