import { useState } from 'react';

import { Panel } from '@/components/panel';
import { ErrorState, Loading } from '@/components/states';
import { getNote } from '@/features/case/api/get-note';
import { NotShown } from '@/features/case/components/not-shown';
import { NoteText } from '@/features/case/components/note-text';
import { panelId } from '@/features/case/lib/evidence';
import { type SetAside, setAsideOf } from '@/features/case/lib/quality';
import type { Diagnosis, NoteExplanation } from '@/lib/contract';
import { dateTime } from '@/lib/format';
import { useResource } from '@/lib/use-resource';

/** The notes of the case with the words that counted. */
export function NotePanel({ diagnosis }: { diagnosis: Diagnosis }) {
  const notes = diagnosis.explanation?.notes ?? [];
  const found = diagnosis.modalities?.note;
  // A note that was used is shown even where no span of it stood out.
  const explained = new Set(notes.map((note) => note.id));
  const plain = found?.status === 'used' ? (found.evidence ?? []).filter((id) => !explained.has(id)) : [];
  const all = [...notes, ...plain.map((id) => ({ id, spans: [] }))];
  return (
    <Panel id={panelId('note')} title="Note" aside={all.length === 0 ? undefined : <Key />}>
      {all.length === 0 ? <NotShown modality="note" found={found} /> : all.map((note) => <Note key={note.id} note={note} />)}
      {found?.status === 'used' ? setAsideOf(found.quality ?? {}).map((item) => <NotRead key={item.note} item={item} />) : null}
    </Panel>
  );
}

function Note({ note }: { note: NoteExplanation }) {
  const content = useResource(`note/${note.id}`, (signal) => getNote(note.id, signal));
  if (content.error !== null) return <ErrorState error={content.error} retry={content.reload} />;
  if (content.data === null) return <Loading label="Loading the note" lines={6} />;
  return (
    <article className="note">
      <p className="small muted">
        Authored <time dateTime={content.data.authored}>{dateTime(content.data.authored)}</time>
      </p>
      <NoteText text={content.data.text} spans={note.spans} />
    </article>
  );
}

/** A note that the model did not read; a clinician may still want to. It is fetched when opened: each read is logged. */
function NotRead({ item }: { item: SetAside }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="not-read" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="small">A further note was not read: {item.reason}.</summary>
      {open ? <Note note={{ id: item.note, spans: [] }} /> : null}
    </details>
  );
}

function Key() {
  return (
    <span className="small key-line">
      <mark className="span-for">for</mark>
      <mark className="span-against">against</mark>
      <mark className="span-for span-negated">negated</mark>
    </span>
  );
}
