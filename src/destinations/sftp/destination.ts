import type { Destination } from '../destination.ts';
import type { SftpOptions } from '../options.ts';

export async function openSftp(options: SftpOptions & { readonly name: string }): Promise<Destination> {
  throw new Error(`${options.name}`);
}
