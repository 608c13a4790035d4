/** What the process says when it ends. 0: done and true; 1: done, and the answer is no; 2: could not be done. */
export const exitCodes = { ok: 0, no: 1, failed: 2, usage: 64, interrupted: 130 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
