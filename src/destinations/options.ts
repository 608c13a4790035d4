/** What an adapter is opened with: a destination of lifeboat.yaml, as one role, its secrets looked up. */
export type DestinationOptions = LocalOptions | S3Options | SftpOptions;

export interface LocalOptions {
  readonly type: 'local';
  readonly path: string;
}

export interface S3Options {
  readonly type: 's3';
  readonly bucket: string;
  /** Keys begin with it and `/`; no slash at either end. */
  readonly prefix?: string;
  /** Absent: Amazon's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Absent: yes where an endpoint is given. */
  readonly pathStyle?: boolean;
  /** Absent: environment, profile or instance role, as the AWS SDK finds them. */
  readonly credentials?: S3Keys | { readonly profile: string };
  /** What every object is locked with when it is stored. */
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly forMs: number };
  /** Of packs. */
  readonly storageClass?: string;
}

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SftpOptions {
  readonly type: 'sftp';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly path: string;
  /** `SHA256:…` fingerprints or `ssh-ed25519 AAAA…` lines: any of them is right. */
  readonly hostKeys: readonly string[];
  /** A known_hosts file, absolute. */
  readonly knownHosts?: string;
  /** The private key's text. */
  readonly key?: string;
  readonly passphrase?: string;
  readonly password?: string;
  /** Use the agent at `$SSH_AUTH_SOCK`. */
  readonly agent: boolean;
}
