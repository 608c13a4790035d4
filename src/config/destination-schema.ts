import { z } from 'zod';
import { duration, object, path, template, text } from '../core/notations.ts';

const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i, 'is no name of a bucket: 3 to 63 letters, digits, dots and hyphens');
const prefix = z
  .string()
  .regex(
    /^[A-Za-z0-9_:+-][A-Za-z0-9._:+-]*(\/[A-Za-z0-9_:+-][A-Za-z0-9._:+-]*)*$/,
    'must be names joined by /, of letters, digits and . _ : + -',
  );

/** Where a copy lies, for the 3-2-1 report: two destinations with the same words share a disaster. */
const where = object({
  provider: text.exactOptional(),
  region: text.exactOptional(),
  account: text.exactOptional(),
  site: text.exactOptional(),
}).prefault({});

/** Prices that differ from the built-in table, in US dollars. */
const price = object({
  storage: z.number().min(0).exactOptional().describe('per GB and month'),
  requests: z.number().min(0).exactOptional().describe('per 1,000 writing requests'),
  retrieval: z.number().min(0).exactOptional().describe('per GB read back, traffic included'),
}).exactOptional();

const common = {
  required: z.boolean().default(true).describe('a restore point is protected only once this destination holds it'),
  where,
  price,
};

const s3Credentials = z.union(
  [
    object({ accessKeyId: template, secretAccessKey: template, sessionToken: template.exactOptional() }),
    object({ profile: text }),
  ],
  { error: 'must be { accessKeyId, secretAccessKey } or { profile }; without it the usual AWS sources are asked' },
);

export const destination = z.discriminatedUnion(
  'type',
  [
    object({ type: z.literal('local'), path, ...common }),
    object({
      type: z.literal('s3'),
      bucket: bucketName,
      prefix: prefix.exactOptional(),
      endpoint: z
        .string()
        .regex(/^https?:\/\/[^/?#@]+\/?$/, 'must be a URL without a path: https://s3.example.com')
        .exactOptional(),
      region: text.exactOptional(),
      pathStyle: z.boolean().exactOptional(),
      credentials: s3Credentials.exactOptional(),
      roles: object({
        keeper: s3Credentials.exactOptional(),
        pruner: s3Credentials.exactOptional(),
        reader: s3Credentials.exactOptional(),
      }).prefault({}),
      lock: object({ mode: z.enum(['governance', 'compliance']), for: duration }).exactOptional(),
      storageClass: text.exactOptional(),
      ...common,
    }),
    object({
      type: z.literal('sftp'),
      host: text,
      port: z.int('must be a whole number').min(1).max(65_535).default(22),
      user: text,
      path: text,
      hostKeys: z.array(text).default([]),
      knownHosts: path.exactOptional(),
      key: template.exactOptional(),
      passphrase: template.exactOptional(),
      password: template.exactOptional(),
      agent: z.boolean().default(false),
      ...common,
    }),
  ],
  { error: 'type must be local, s3 or sftp' },
);
