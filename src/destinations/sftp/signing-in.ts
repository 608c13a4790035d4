import ssh2, { type ConnectConfig } from 'ssh2';
import type { SftpOptions } from '../options.ts';
import { signingInImpossible } from './errors.ts';

export interface SigningIn {
  readonly config: ConnectConfig;
  /** For people: `its key, the agent`. */
  readonly with: string;
}

/** How to sign in, checked as far as that goes without the server. @throws `signing-in-impossible` */
export function signingIn(options: SftpOptions & { readonly name: string }): SigningIn {
  const { key, passphrase, password, agent } = options;
  const impossible = (why: string) => signingInImpossible({ destination: options.name, why });
  const methods: ('publickey' | 'agent' | 'password' | 'keyboard-interactive')[] = [];
  const names: string[] = [];
  const config: ConnectConfig = {};
  if (key !== undefined) {
    const parsed = ssh2.utils.parseKey(key, passphrase);
    if (parsed instanceof Error) throw impossible(whyKeyFails(parsed.message, passphrase !== undefined));
    const [first] = Array.isArray(parsed) ? parsed : [parsed];
    if (first?.isPrivateKey() !== true) throw impossible('what is given as its key is no private key');
    config.privateKey = key;
    if (passphrase !== undefined) config.passphrase = passphrase;
    methods.push('publickey');
    names.push('the key');
  }
  if (agent) {
    const socket = process.env.SSH_AUTH_SOCK;
    if (!socket) throw impossible('agent is true, but no agent runs here ($SSH_AUTH_SOCK is not set)');
    config.agent = socket;
    methods.push('agent');
    names.push('the keys of the agent');
  }
  if (password !== undefined) {
    config.password = password;
    // Many servers ask for the password this way only.
    config.tryKeyboard = true;
    methods.push('password', 'keyboard-interactive');
    names.push('the password');
  }
  if (methods.length === 0) throw impossible('it names neither a key nor a password nor the agent');
  config.authHandler = methods;
  return { config, with: names.join(', ') };
}

function whyKeyFails(said: string, withPassphrase: boolean): string {
  if (/passphrase/i.test(said)) {
    return withPassphrase
      ? 'the passphrase does not open its key'
      : 'its key is locked by a passphrase, and none is given';
  }
  return 'its key is not in a form that is known (OpenSSH, PEM, PuTTY)';
}
