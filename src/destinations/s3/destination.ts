import type { Destination } from '../destination.ts';
import type { S3Options } from '../options.ts';

export async function openS3(options: S3Options & { readonly name: string }): Promise<Destination> {
  throw new Error(`${options.name}`);
}
