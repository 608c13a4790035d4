import type { DestinationConfig } from './system.ts';

/** Where a destination is, for people: no credentials. */
export function locationOf(destination: DestinationConfig): string {
  switch (destination.type) {
    case 'local':
      return destination.path;
    case 's3':
      return `s3://${destination.bucket}${destination.prefix === undefined ? '' : `/${destination.prefix}`}`;
    case 'sftp':
      return `sftp://${destination.user}@${destination.host}:${destination.port}/${destination.path.replace(/^\//, '')}`;
  }
}

/** Folders of this host that hold destinations. */
export function foldersOf(destinations: Readonly<Record<string, DestinationConfig>>): string[] {
  return Object.values(destinations).flatMap((one) => (one.type === 'local' ? [one.path] : []));
}
