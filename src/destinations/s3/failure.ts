import { LifeboatError } from '../../core/errors.ts';
import { destinationDenied, destinationFull, destinationUnreachable } from '../errors.ts';

export interface Place {
  readonly name: string;
  readonly location: string;
  readonly bucket: string;
}

/** What a failed request says of itself. Nothing of its text is shown: a server may quote the request in it. */
export interface Refusal {
  /** The protocol's name of the error, e.g. `NoSuchKey`; empty where a server gave none. */
  readonly code: string;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
}

export function refusalOf(error: unknown): Refusal {
  const { name, Code, $metadata } = (error ?? {}) as {
    readonly name?: unknown;
    readonly Code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const said = typeof Code === 'string' && Code !== '' ? Code : name;
  const code = typeof said === 'string' && /^[A-Za-z0-9.]{1,80}$/.test(said) ? said : '';
  return { code: code === 'Unknown' || code === 'UnknownError' ? '' : code, status: $metadata?.httpStatusCode };
}

/** Absent, as far as one answer proves it: a 404 without a code may also mean the bucket. */
export function saysAbsent(error: unknown): boolean {
  const { code, status } = refusalOf(error);
  return code === 'NoSuchKey' || code === 'NoSuchVersion' || code === 'NotFound' || (status === 404 && code === '');
}

export function saysDenied(error: unknown): boolean {
  const { code, status } = refusalOf(error);
  return code === 'AccessDenied' || code === 'Forbidden' || (status === 403 && code === '');
}

/** The store does not know what was asked for, whatever it was. */
export function saysUnknown(error: unknown): boolean {
  const { code, status } = refusalOf(error);
  return code === 'NotImplemented' || code === 'MethodNotAllowed' || status === 501;
}

const denied: Readonly<Record<string, string>> = {
  AccessDenied: 'these credentials may not do that (AccessDenied)',
  Forbidden: 'these credentials may not do that',
  AllAccessDisabled: 'the provider disabled the bucket (AllAccessDisabled)',
  AccountProblem: 'the provider reports a problem with the account (AccountProblem)',
  InvalidAccessKeyId: 'it does not know the access key (InvalidAccessKeyId)',
  SignatureDoesNotMatch: 'the secret access key is not the right one (SignatureDoesNotMatch)',
  ExpiredToken: 'the session token has expired (ExpiredToken)',
  InvalidToken: 'the session token is not valid (InvalidToken)',
  TokenRefreshRequired: 'the session token has expired (TokenRefreshRequired)',
  CredentialsProviderError:
    'no credentials were found: name them in lifeboat.yaml, in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in a profile',
  RequestTimeTooSkewed: 'the clock of this host is wrong by more than a quarter of an hour; set it by NTP',
  AuthorizationHeaderMalformed: 'the region is not the right one: set region in lifeboat.yaml',
  PermanentRedirect: 'the bucket is in another region: set region in lifeboat.yaml',
  IllegalLocationConstraintException: 'the bucket is in another region: set region in lifeboat.yaml',
  InvalidStorageClass: 'it does not know the storage class; set another storageClass in lifeboat.yaml',
  InvalidBucketName: 'that is no name of a bucket there',
  KMSDisabledException: 'the key that encrypts the bucket is disabled',
};

const full = new Set([
  'QuotaExceeded',
  'QuotaExceededException',
  'StorageQuotaExceeded',
  'StorageCapExceeded',
  'CapExceeded',
  'InsufficientStorage',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
]);

/** May pass, although their status says that the request was wrong. */
const passing = new Set([
  'RequestTimeout',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
  'OperationAborted',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
]);

/**
 * One of the port's errors, without anything that a server said in its own words. What is no failure of a request (a bug, an
 * abort) comes back as it is.
 */
export function failureOf(error: unknown, { name, location, bucket }: Place): unknown {
  if (error instanceof LifeboatError || error instanceof RangeError) return error;
  const { code, status } = refusalOf(error);
  const place = { destination: name, location };
  const cause = causeOf(error);
  if (full.has(code) || status === 507) return destinationFull(place, { cause });
  if (code === 'NoSuchBucket') {
    return destinationDenied({ ...place, why: `there is no bucket ${bucket}; make it first` }, { cause });
  }
  const why = denied[code];
  if (why !== undefined) return destinationDenied({ ...place, why }, { cause });
  if (passing.has(code) || status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    return destinationUnreachable({ ...place, why: `it answered ${status} ${code}`.trim() }, { cause });
  }
  if (status === 301 || status === 307) {
    return destinationDenied({ ...place, why: 'the bucket is elsewhere: set region or endpoint' }, { cause });
  }
  if (status === 403) return destinationDenied({ ...place, why: denied.Forbidden! }, { cause });
  if (status !== undefined && status >= 400) {
    return destinationDenied({ ...place, why: `it answered ${status} ${code}`.trim() }, { cause });
  }
  if (error instanceof Error && error.message === 'Region is missing') {
    return destinationDenied(
      { ...place, why: 'no region is known: set region in lifeboat.yaml, or write ?region=… behind an address' },
      { cause },
    );
  }
  const silence = whyNoAnswer(error);
  if (silence !== undefined) return destinationUnreachable({ ...place, why: silence }, { cause });
  // An answer came and could not be understood: a proxy's page instead of the store's words.
  if (status !== undefined)
    return destinationUnreachable({ ...place, why: 'its answer is not that of a store' }, { cause });
  return error;
}

const transport: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  EPIPE: 'the connection was cut (EPIPE)',
  ECONNABORTED: 'the connection was cut (ECONNABORTED)',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was cut',
  ENOTFOUND: 'its host name has no address (ENOTFOUND)',
  EAI_AGAIN: 'its host name cannot be looked up now (EAI_AGAIN)',
  EHOSTUNREACH: 'there is no way to its host (EHOSTUNREACH)',
  ENETUNREACH: 'there is no network (ENETUNREACH)',
  ETIMEDOUT: 'it did not answer in time',
  TimeoutError: 'it did not answer in time',
  NotAStore: 'something else answers in its place',
  EPROTO: 'it does not speak TLS there (EPROTO)',
};

function whyNoAnswer(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = transport[code] ?? transport[error.name];
  if (known !== undefined) return known;
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) return `its certificate is not trusted (${code})`;
  if (/^(HPE_|ERR_SSL_|ERR_TLS_|ERR_HTTP|E[A-Z]+$)/.test(code)) return `the connection failed (${code})`;
  return error.message === 'socket hang up' || error.message === 'aborted' ? 'the connection was cut' : undefined;
}

/** For a bug report: names and numbers only. */
function causeOf(error: unknown): Error {
  const { code, status } = refusalOf(error);
  const { requestId } = (error as { readonly $metadata?: { readonly requestId?: string } }).$metadata ?? {};
  const request = requestId !== undefined && /^[\w.-]{1,100}$/.test(requestId) ? `, request ${requestId}` : '';
  return new Error(`S3 ${code || 'error'}${status === undefined ? '' : ` (${status})`}${request}`);
}
