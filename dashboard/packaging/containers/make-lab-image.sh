#!/bin/sh
# make-lab-image.sh FOLDER: builds the image for comparisons without a registry from packages of the distribution, as an
# archive in FOLDER.
set -eu
/opt/netmodes/bin/python -c 'from pathlib import Path
from dashboard.engine.lab_image import lab_image_archive
lab_image_archive(Path("/tmp/made"))'
mkdir "$1"
mv /tmp/made/cache/lab-image-*.tar "$1"
rm -r /tmp/made
