import { type OpenedAddress, openAddress } from '../operations/bootstrap/open-address.ts';
import { askAt } from './ask.ts';
import { type CommandContext, many, value } from './command.ts';

/** Of the commands that take the address of a vault. */
export const addressOptions = {
  hostKey: many('<fingerprint>', "sftp: SHA256:… of the server's key, as ssh-keygen -l prints it"),
  sshKey: value('<file>', 'sftp: the private key to sign in with (default: the agent, then ~/.ssh/id_*)'),
};

interface AddressValues {
  readonly hostKey: readonly string[];
  readonly sshKey: string | undefined;
}

export function openedAddress(
  address: string,
  { hostKey, sshKey }: AddressValues,
  { env, run }: Pick<CommandContext<unknown>, 'env' | 'run'>,
): Promise<OpenedAddress> {
  return openAddress({
    address,
    folder: process.cwd(),
    hostKeys: hostKey,
    env,
    ask: askAt(process.stdin, process.stderr, run.signal),
    ...(sshKey !== undefined && { sshKey }),
  });
}
