import { Command, CommanderError } from 'commander';
import { systemClock } from '../core/clock.ts';
import { startRun } from '../core/run.ts';
import type { AnyCommand } from './command.ts';
import { type CommandEntry, commands, groups } from './commands.ts';
import { usageWrong } from './errors.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { failureJson, failureOf, failureText } from './failure.ts';
import { keyRing } from './key-ring.ts';
import { loadedOnce } from './loaded.ts';
import { inLocale } from './locale-signs.ts';
import { commanderOption, commonOptions, flagName, readCommonOptions, readOptions } from './options.ts';
import { createOutput, eventLine } from './output.ts';
import { createProgress, type ProgressStream, urgentOnly } from './progress.ts';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly version: string;
}

/** Runs one command line. Never throws: what goes wrong is shown and becomes the exit code. */
export async function runProgram(argv: readonly string[], given: Surroundings): Promise<ExitCode> {
  let exit: ExitCode = exitCodes.ok;
  const around = { ...given, stderr: inLocale(given.stderr, given.env) };
  const chosen = findCommand(argv);
  try {
    const program = createProgram(around.version, writeTo(inLocale(around.stdout, around.env)), writeTo(around.stderr));
    for (const entry of commands) {
      const definition = entry === chosen ? await entry.load() : undefined;
      const command = addCommand(program, entry, definition);
      if (!definition) continue;
      command.action(async () => {
        exit = await execute(definition, command, around);
      });
    }
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && /^commander\.(help|version)/.test(error.code)) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    const json = argv.includes('--json') || argv.includes('--json-events');
    return showFailure(
      error instanceof CommanderError ? usageError(error, chosen) : error,
      { json, color: false },
      around,
    );
  }
}

/** All commands with all their options, for completions. */
export async function fullProgram(): Promise<Command> {
  const program = createProgram('', nowhere, nowhere);
  for (const entry of commands) addCommand(program, entry, await entry.load());
  return program;
}

function createProgram(version: string, writeOut: Write, writeErr: Write): Command {
  const program = new Command('lifeboat')
    .description('Backups, proved by restore.')
    .version(version, '--version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => `${command.name()} ${command.usage()}`.trim(),
    })
    // Errors are shown as all others are: see runProgram.
    .configureOutput({ writeOut, writeErr, outputError: () => {} });
  for (const [name, shape] of Object.entries(commonOptions)) program.addOption(commanderOption(name, shape));
  return program;
}

type Write = (text: string) => void;

const nowhere: Write = () => {};

function writeTo(stream: ProgressStream): Write {
  return (text) => {
    stream.write(text);
  };
}

function addCommand(program: Command, entry: CommandEntry, definition: AnyCommand | undefined): Command {
  const words = entry.name.split(' ');
  const group = words.length > 1 ? words[0]! : undefined;
  const parent = group === undefined ? program : groupCommand(program, group);
  const command = parent.command(words.at(-1)!).summary(entry.summary).usage(' ');
  if (!definition) return command;
  command.description(`${entry.summary}.\n\n${reflowed(definition.description)}`);
  command.usage(`[options] ${definition.words ?? ''}`.trim());
  if (definition.words) command.arguments(definition.words);
  for (const [name, shape] of Object.entries(definition.options)) command.addOption(commanderOption(name, shape));
  return command.allowExcessArguments(false);
}

/** Lines that follow one another are one paragraph, wrapped by the terminal's width; indented ones stay as they are. */
function reflowed(text: string): string {
  return text.replace(/(\S)\n(?=\S)/g, '$1 ');
}

function groupCommand(program: Command, name: string): Command {
  const existing = program.commands.find((command) => command.name() === name);
  return (
    existing ??
    program
      .command(name)
      .description(groups[name] ?? '')
      .usage('<command>')
      .helpCommand(false)
  );
}

/** The entry that the first words of `argv` name. Options, and the values of the common ones, are passed over. */
function findCommand(argv: readonly string[]): CommandEntry | undefined {
  const valued = Object.entries(commonOptions).flatMap(([name, shape]) =>
    shape.kind === 'flag' ? [] : [flagName(name)],
  );
  const words: string[] = [];
  for (let at = 0; at < argv.length && words.length < 2; at++) {
    const word = argv[at]!;
    if (!word.startsWith('-')) words.push(word);
    else if (valued.includes(word)) at++;
  }
  return commands.find((entry) => entry.name === words.join(' ')) ?? commands.find((entry) => entry.name === words[0]);
}

async function execute(definition: AnyCommand, command: Command, around: Surroundings): Promise<ExitCode> {
  const { env, stderr, signal } = around;
  const given: Record<string, unknown> = command.optsWithGlobals();
  const common = readCommonOptions(given, env, nameOf(command));
  const { json, jsonEvents, quiet } = common;
  const stdout = json || jsonEvents ? around.stdout : inLocale(around.stdout, env);
  const color = common.color && stdout.isTTY === true;
  const progress = quiet || json || jsonEvents ? urgentOnly(stderr) : createProgress(stderr, systemClock);
  const out = createOutput({ json, jsonEvents, quiet, color, columns: columnsOf(stdout), stdout, stderr, progress });
  const loaded = loadedOnce(common, env, out, signal);
  const run = startRun({
    clock: systemClock,
    signal,
    onEvent(event) {
      if (jsonEvents) stdout.write(eventLine(event));
      progress.onEvent(event);
    },
  });
  try {
    return await definition.run({
      options: readOptions(definition.options, given, env, nameOf(command)),
      words: command.args,
      common,
      env,
      clock: systemClock,
      out,
      run,
      async job(job, request, instead) {
        const { runJob } = await import('../jobs/runner.ts');
        const keys = keyRing(common.identity, loaded.identities);
        return runJob(job, request, { system: loaded.system, keys, run, ...instead });
      },
      config: loaded.config,
      system: loaded.system,
      identities: loaded.identities,
      keys: loaded.keys,
    });
  } catch (error) {
    progress.clear();
    return showFailure(error, { json: json || jsonEvents, color: color && stderr.isTTY === true }, around);
  } finally {
    await loaded.close();
  }
}

/** Of a terminal that tells how wide it is. */
function columnsOf({ isTTY, columns }: ProgressStream): number {
  return isTTY === true && columns !== undefined && columns > 0 ? columns : Number.POSITIVE_INFINITY;
}

function usageError(error: CommanderError, chosen: CommandEntry | undefined): Error {
  const what = error.message.replace(/^error: /, '').replace(/\s*\(Did you mean (.*)\?\)/, ". Did you mean '$1'?");
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1)}${/[.?!]$/.test(what) ? '' : '.'}`;
  return usageWrong({ what: sentence, command: chosen ? `lifeboat ${chosen.name}` : 'lifeboat' });
}

function showFailure(thrown: unknown, how: { json: boolean; color: boolean }, around: Surroundings): ExitCode {
  const failure = failureOf(thrown, around.signal);
  if (how.json) around.stdout.write(`${failureJson(failure)}\n`);
  else around.stderr.write(`${failureText(failure, how.color, Boolean(around.env.LIFEBOAT_DEBUG))}\n`);
  return failure.exit;
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
