import { Panel } from '@/components/panel';
import { EmptyState, ErrorState, Loading } from '@/components/states';
import { findInstance } from '@/features/case/api/find-instance';
import { NotShown } from '@/features/case/components/not-shown';
import { RadiographViewer } from '@/features/case/components/radiograph-viewer';
import { panelId } from '@/features/case/lib/evidence';
import { doubtsOf } from '@/features/case/lib/quality';
import type { Diagnosis, ImageExplanation } from '@/lib/contract';
import { useBlobUrl } from '@/lib/use-blob-url';
import { useResource } from '@/lib/use-resource';

/** The radiographs of the case, each under its heat map. */
export function RadiographPanel({ diagnosis }: { diagnosis: Diagnosis }) {
  const images = diagnosis.explanation?.images ?? [];
  return (
    <Panel id={panelId('image')} title="Radiograph">
      <Doubts doubts={doubtsOf(diagnosis.modalities?.image?.quality ?? {})} />
      {images.length === 0 ? (
        <NotShown modality="image" found={diagnosis.modalities?.image} />
      ) : (
        images.map((image) => <Radiograph key={image.instance} image={image} />)
      )}
    </Panel>
  );
}

function Doubts({ doubts }: { doubts: string[] }) {
  if (doubts.length === 0) return null;
  return (
    <ul className="callout callout-warn cautions" aria-label="Doubtful about the images">
      {doubts.map((doubt) => (
        <li key={doubt}>{doubt}</li>
      ))}
    </ul>
  );
}

function Radiograph({ image }: { image: ImageExplanation }) {
  const instance = useResource(`instance/${image.instance}`, (signal) => findInstance(image.instance, signal));
  const picture = useBlobUrl(instance.data?.renderedPath ?? null, 'image/png');
  const heatmap = useBlobUrl(image.heatmap, 'image/png');
  const error = instance.error ?? picture.error;
  if (error !== null) {
    return (
      <ErrorState
        error={error}
        retry={() => {
          instance.reload();
          picture.reload();
        }}
      />
    );
  }
  if (!instance.loading && instance.data === null) {
    return <EmptyState icon="image" title="The image is no longer in the archive" />;
  }
  if (picture.data === null) return <Loading label="Loading the radiograph" lines={6} />;
  return (
    <RadiographViewer
      picture={picture.data}
      heatmap={heatmap.data}
      heatmapError={heatmap.error}
      regions={image.regions}
      columns={instance.data?.columns ?? null}
      rows={instance.data?.rows ?? null}
    />
  );
}
