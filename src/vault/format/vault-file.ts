import { z } from 'zod';
import { ulidTime } from '../../core/ulid.ts';
import { formatNewer, vaultFileDamaged } from './errors.ts';
import { jsonBytes, readJson, time, ulid } from './signed-json.ts';

/** `vault.json`: the first object written, the same on every destination. */
export interface VaultFile {
  readonly format: 1;
  /** ULID, made once; every record repeats it. */
  readonly vault: string;
  /** UTC, ISO 8601 with milliseconds. */
  readonly created: string;
}

const shape = z.strictObject({ format: z.literal(1), vault: ulid, created: time });

export function encodeVaultFile(file: VaultFile): Uint8Array {
  return jsonBytes({ format: file.format, vault: file.vault, created: file.created });
}

/** All that is in it follows from the id, which every record repeats: so it is the same bytes everywhere. */
export function vaultFileOf(vault: string): Uint8Array {
  return encodeVaultFile({ format: 1, vault, created: new Date(ulidTime(vault)).toISOString() });
}

/** Errors: `format-newer`, `vault-file-damaged`. */
export function decodeVaultFile(bytes: Uint8Array): VaultFile {
  const newer = newerFormat(bytes);
  if (newer !== undefined) throw formatNewer({ what: 'The vault', needs: `format ${newer}` });
  return readJson(bytes, shape, vaultFileDamaged) as z.infer<typeof shape>;
}

/** A later format may have other fields, so its number is looked for first. */
function newerFormat(bytes: Uint8Array): number | undefined {
  try {
    const { format } = z.object({ format: z.number().int().min(2) }).parse(JSON.parse(Buffer.from(bytes).toString()));
    return format;
  } catch {
    return undefined;
  }
}
