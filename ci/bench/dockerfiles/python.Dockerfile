# A base that was patched: one layer on top of the one before, so that the rest is not pushed again.
FROM bench/python:first
RUN echo patched > /etc/patched
