/** What an address tells of who runs a place. */
export interface ProviderFacts {
  readonly provider?: string;
  readonly region?: string;
  /** As the provider names it, or the part of a key that its account's keys share. */
  readonly account?: string;
}

interface Pattern {
  readonly provider: string;
  /** Of the host name; the groups `region` and `account` are taken. */
  readonly host: RegExp;
  readonly region?: string;
}

/** Endpoints as the providers document them. */
const buckets: readonly Pattern[] = [
  {
    provider: 'AWS',
    host: /^s3[.-](?:fips[.-])?(?:dualstack\.)?(?<region>[a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/,
  },
  { provider: 'AWS', host: /^s3\.amazonaws\.com$/, region: 'us-east-1' },
  { provider: 'Backblaze B2', host: /^s3\.(?<region>[a-z0-9-]+)\.backblazeb2\.com$/ },
  { provider: 'Cloudflare R2', host: /^(?<account>[0-9a-f]{32})(?:\.(?<region>[a-z]+))?\.r2\.cloudflarestorage\.com$/ },
  { provider: 'Wasabi', host: /^s3\.(?<region>[a-z0-9-]+)\.wasabisys\.com$/ },
  { provider: 'Wasabi', host: /^s3\.wasabisys\.com$/, region: 'us-east-1' },
  { provider: 'Google Cloud', host: /^storage\.googleapis\.com$/ },
  { provider: 'DigitalOcean', host: /^(?<region>[a-z0-9]+)\.digitaloceanspaces\.com$/ },
  { provider: 'Scaleway', host: /^s3\.(?<region>[a-z-]+)\.scw\.cloud$/ },
  { provider: 'OVHcloud', host: /^s3\.(?<region>[a-z0-9-]+)\.(?:io|perf)\.cloud\.ovh\.(?:net|us)$/ },
  { provider: 'Hetzner', host: /^(?<region>[a-z0-9]+)\.your-objectstorage\.com$/ },
  { provider: 'Akamai', host: /^(?<region>[a-z0-9-]+)\.linodeobjects\.com$/ },
];

const servers: readonly Pattern[] = [
  { provider: 'Hetzner', host: /^(?<account>u\d+)(?:-sub\d+)?\.your-(?:storagebox|backup)\.de$/ },
  { provider: 'rsync.net', host: /(?:^|\.)rsync\.net$/ },
  { provider: 'BorgBase', host: /\.repo\.borgbase\.com$/ },
];

/** Of a bucket's endpoint; without one it is Amazon's. */
export function bucketProvider(endpoint: string | undefined, region: string | undefined): ProviderFacts {
  if (endpoint === undefined) return { provider: 'AWS', ...(region !== undefined && { region }) };
  const found = matched(buckets, hostOf(endpoint));
  return found === undefined ? {} : { ...found, ...(region !== undefined && found.region === undefined && { region }) };
}

export function serverProvider(host: string): ProviderFacts {
  return matched(servers, host.toLowerCase()) ?? {};
}

/** The host name of a URL, without its port. */
export function hostOf(endpoint: string): string {
  return new URL(endpoint).hostname.toLowerCase().replace(/^\[|\]$/g, '');
}

function matched(patterns: readonly Pattern[], host: string): ProviderFacts | undefined {
  for (const { provider, host: pattern, region } of patterns) {
    const groups = pattern.exec(host)?.groups;
    if (groups === undefined && !pattern.test(host)) continue;
    const given = { region: groups?.region ?? region, account: groups?.account };
    const known = Object.entries(given).filter(([, value]) => value !== undefined);
    return { provider, ...Object.fromEntries(known) };
  }
  return undefined;
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * The account that an access key belongs to, as far as the key's id tells: Amazon's newer ones hold the account's number, B2's
 * begin with the account's id. Any other id stands for itself: two places with the same key are one account.
 */
export function accountOfKey(provider: string | undefined, accessKeyId: string): string {
  if (provider === 'AWS' && /^(?:AKIA|ASIA)[A-Z2-7]{16}$/.test(accessKeyId)) {
    // Of the first six bytes after the kind, bits 1 to 40 are the number (it is so for keys since 2019).
    let bits = 0n;
    for (const letter of accessKeyId.slice(4, 14)) bits = (bits << 5n) | BigInt(base32.indexOf(letter));
    return String(((bits >> 2n) & 0x7fffffffff80n) >> 7n).padStart(12, '0');
  }
  if (provider === 'Backblaze B2' && /^\d{3}[0-9a-f]{12}\d{10}$/.test(accessKeyId)) return accessKeyId.slice(3, 15);
  return `key …${accessKeyId.slice(-4)}`;
}
