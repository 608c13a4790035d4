import type { DestinationConfig, S3Credentials } from '../config/system.ts';
import type { Expandable } from '../core/references.ts';
import type { Role } from '../core/roles.ts';
import type { DestinationOptions, S3Options, SftpOptions } from '../destinations/options.ts';

/** What `config` says, as `role`, with its secrets looked up. @throws `variable-unset`, `secret-unavailable` */
export async function destinationOptions(config: DestinationConfig, role: Role): Promise<DestinationOptions> {
  switch (config.type) {
    case 'local':
      return { type: 'local', path: config.path };
    case 's3': {
      const { bucket, prefix, endpoint, region, pathStyle, lock, storageClass } = config;
      const credentials = role === 'writer' ? config.credentials : (config.roles[role] ?? config.credentials);
      return {
        type: 's3',
        bucket,
        ...given({ prefix, endpoint, region, pathStyle, lock, storageClass }),
        ...(credentials && { credentials: await expandCredentials(credentials) }),
      };
    }
    case 'sftp': {
      const { type, host, port, user, path, hostKeys, knownHosts, agent } = config;
      const secrets: Partial<SftpOptions> = {
        ...(await expanded('key', config.key)),
        ...(await expanded('passphrase', config.passphrase)),
        ...(await expanded('password', config.password)),
      };
      return { type, host, port, user, path, hostKeys, agent, ...given({ knownHosts }), ...secrets };
    }
  }
}

/** Whether the configuration names credentials of `role`'s own. */
export function hasOwnCredentials(config: DestinationConfig, role: Exclude<Role, 'writer'>): boolean {
  return config.type === 's3' && config.roles[role] !== undefined;
}

async function expandCredentials(credentials: S3Credentials): Promise<NonNullable<S3Options['credentials']>> {
  if ('profile' in credentials) return credentials;
  return {
    accessKeyId: await credentials.accessKeyId.expand(),
    secretAccessKey: await credentials.secretAccessKey.expand(),
    ...(await expanded('sessionToken', credentials.sessionToken)),
  };
}

async function expanded<Name extends string>(
  name: Name,
  value: Expandable | undefined,
): Promise<Partial<Record<Name, string>>> {
  return value === undefined ? {} : ({ [name]: await value.expand() } as Record<Name, string>);
}

/** Without the keys that are undefined: an option that is absent is not there. */
function given<Values extends object>(values: Values): { [Key in keyof Values]?: Exclude<Values[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
