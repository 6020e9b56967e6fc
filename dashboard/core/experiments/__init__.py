"""An experiment: what may be asked, how arms are launched, its lifecycle, journal and live stream."""
