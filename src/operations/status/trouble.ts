import type { StatusTrouble } from './status.ts';

export function bad(code: string, message: string, command: string): StatusTrouble {
  return { severity: 'bad', code, message, command };
}

export function warning(code: string, message: string, command: string): StatusTrouble {
  return { severity: 'warning', code, message, command };
}
