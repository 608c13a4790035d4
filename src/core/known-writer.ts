/** A key that signs, and for which systems what it signs counts: one vault may hold several, and one's host must not speak for another. */
export interface KnownWriter {
  /** Ed25519 public key, base64. */
  readonly key: string;
  /** Names, at least one. */
  readonly systems: readonly string[];
  /** A person named the key and not the systems: it counts for that of the configuration, unless the vault shows it to be another's. */
  readonly isBare?: true;
}
