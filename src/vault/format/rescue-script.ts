import { sha256Hex } from '../hash.ts';

const LAST_LINE = /\n# sha256 of the lines above: ([0-9a-f]{64})\n$/;

/**
 * The rescue script as a vault stores it: with its own SHA-256 as the last line. Later versions of Lifeboat carry other
 * scripts and never touch a stored one, so each must be able to tell by itself that it is whole.
 */
export function rescueObject(script: Uint8Array): Uint8Array {
  return Buffer.concat([script, Buffer.from(`# sha256 of the lines above: ${sha256Hex(script)}\n`)]);
}

/** Whether a stored script is what some version of Lifeboat stored. */
export function isSoundRescue(object: Uint8Array): boolean {
  const text = Buffer.from(object).toString('latin1');
  const digest = LAST_LINE.exec(text)?.[1];
  return digest !== undefined && sha256Hex(Buffer.from(text.replace(LAST_LINE, '\n'), 'latin1')) === digest;
}
