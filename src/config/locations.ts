import type { Place } from '../host/state-folder.ts';
import { realPath } from './nesting.ts';
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

/** Where the destinations are, as the state folder knows them again when they, or the configuration, have another name. */
export function placesOf(destinations: Readonly<Record<string, DestinationConfig>>): Place[] {
  return Object.values(destinations).map((one) => {
    if (one.type === 'local') {
      const folder = realPath(one.path);
      return { at: folder, folder };
    }
    const server = one.type === 's3' ? `${one.endpoint ?? one.region ?? ''} ` : '';
    return { at: server + locationOf(one) };
  });
}
