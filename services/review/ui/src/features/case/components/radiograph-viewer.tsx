import { type CSSProperties, useState } from 'react';

import { Icon } from '@/components/icon';
import { ViewerButton } from '@/features/case/components/viewer-button';
import { type ZoomPan, useZoomPan } from '@/features/case/hooks/use-zoom-pan';
import type { ImageExplanation } from '@/lib/contract';
import { signed } from '@/lib/format';
import type { Problem } from '@/lib/http';

type Region = ImageExplanation['regions'][number];

type Props = {
  picture: string;
  heatmap: string | null;
  heatmapError: Problem | null;
  regions: Region[];
  /** Of the original pixel matrix, to which regions refer; null: that of the picture. */
  columns: number | null;
  rows: number | null;
};

/** A radiograph with its heat map over it, which can be dimmed, taken away, zoomed and inverted. */
export function RadiographViewer({ picture, heatmap, heatmapError, regions, columns, rows }: Props) {
  const [overlay, setOverlay] = useState(true);
  const [opacity, setOpacity] = useState(0.55);
  const [inverted, setInverted] = useState(false);
  const [natural, setNatural] = useState({ width: columns ?? 1, height: rows ?? 1 });
  const zoom = useZoomPan();
  const width = columns ?? natural.width;
  const height = rows ?? natural.height;
  const { scale, x, y } = zoom.view;
  const shown = overlay && heatmap !== null;

  return (
    <div className="viewer">
      <div
        ref={zoom.frame}
        className={`viewer-frame ${scale > 1 ? 'viewer-frame-zoomed' : ''}`}
        style={{ '--aspect': width / height } as CSSProperties}
        tabIndex={0}
        role="group"
        aria-label="Radiograph. Plus and minus zoom, arrows pan, zero resets."
        {...zoom.handlers}
      >
        <div className="viewer-layers" style={{ transform: `translate(${x}px, ${y}px) scale(${scale})` }}>
          <img
            src={picture}
            alt="Chest radiograph of this case"
            className={inverted ? 'inverted' : undefined}
            draggable={false}
            onLoad={({ currentTarget: image }) => setNatural({ width: image.naturalWidth, height: image.naturalHeight })}
          />
          {shown ? <img src={heatmap} alt="" className="viewer-heatmap" style={{ opacity }} draggable={false} data-testid="heatmap" /> : null}
          {shown ? <Regions regions={regions} width={width} height={height} /> : null}
        </div>
      </div>
      <div className="viewer-tools">
        <label className="switch">
          <input type="checkbox" checked={overlay} onChange={(event) => setOverlay(event.target.checked)} disabled={heatmap === null} />
          Heat map
        </label>
        <input
          type="range"
          aria-label="Heat map opacity"
          min={0}
          max={1}
          step={0.05}
          value={opacity}
          disabled={!shown}
          onChange={(event) => setOpacity(Number(event.target.value))}
        />
        <ZoomTools zoom={zoom} inverted={inverted} invert={() => setInverted((on) => !on)} />
      </div>
      <Legend error={heatmapError} regions={regions} />
    </div>
  );
}

function Regions({ regions, width, height }: { regions: Region[]; width: number; height: number }) {
  const strongest = Math.max(...regions.map((region) => Math.abs(region.contribution)), 1e-9);
  return (
    <svg className="viewer-regions" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {regions.map((region) => (
        <rect
          key={`${region.x}/${region.y}`}
          x={region.x}
          y={region.y}
          width={region.width}
          height={region.height}
          rx={Math.min(width, height) / 100}
          opacity={0.35 + 0.65 * (Math.abs(region.contribution) / strongest)}
          className={region.contribution < 0 ? 'region-against' : 'region-for'}
        />
      ))}
    </svg>
  );
}

function ZoomTools({ zoom, inverted, invert }: { zoom: ZoomPan; inverted: boolean; invert: () => void }) {
  return (
    <div className="viewer-buttons" role="group" aria-label="View">
      <ViewerButton icon="invert" label="Invert grey scale" pressed={inverted} onClick={invert} />
      <ViewerButton icon="minus" label="Zoom out" disabled={zoom.view.scale <= 1} onClick={zoom.zoomOut} />
      <span className="viewer-scale small">{Math.round(zoom.view.scale * 100)} %</span>
      <ViewerButton icon="plus" label="Zoom in" onClick={zoom.zoomIn} />
      <ViewerButton icon="reset" label="Reset the view" disabled={zoom.view.scale <= 1} onClick={zoom.reset} />
    </div>
  );
}

function Legend({ error, regions }: { error: Problem | null; regions: Region[] }) {
  if (error !== null) {
    return (
      <p className="small field-error" role="status">
        <Icon name="warning" size={13} /> The heat map could not be loaded: {error.detail}
      </p>
    );
  }
  const strongest = [...regions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  return (
    <div className="viewer-legend small muted">
      <span>Shows where the model looked. Not for measurement.</span>
      {strongest.map((region) => (
        <span key={`${region.x}/${region.y}`} className={region.contribution < 0 ? 'region-key-against' : 'region-key-for'}>
          {region.contribution < 0 ? 'against' : 'for'} {signed(region.contribution)}
        </span>
      ))}
    </div>
  );
}
