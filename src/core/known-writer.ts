/** A key that signs, and for which systems what it signs counts: one vault may hold several, and one's host must not speak for another. */
export interface KnownWriter {
  /** Ed25519 public key, base64. */
  readonly key: string;
  /** Names, at least one. */
  readonly systems: readonly string[];
}
