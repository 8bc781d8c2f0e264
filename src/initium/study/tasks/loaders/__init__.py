"""The user's own data: image folders, COCO, VOC, mask folders, any torch Dataset."""

from initium.study.tasks.loaders.loading import load as load
