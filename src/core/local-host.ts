/** Whether what is sent to this host stays on this machine: a loopback name or address, or the folder of a Unix socket. */
export function isLocalHost(host: string): boolean {
  return /^(\/.*|(.*\.)?localhost\.?|127(\.\d{1,3}){3}|\[?::1\]?|\[?::ffff:127(\.\d{1,3}){3}\]?)$/i.test(host);
}
