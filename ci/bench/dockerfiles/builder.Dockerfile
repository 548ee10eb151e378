# A builder with its tool in it. Making it is not measured.
ARG BASE
FROM ${BASE}
ARG INDEX
ARG TOOLS
RUN python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install --no-cache-dir --index-url ${INDEX} ${TOOLS}
ENV PATH=/opt/tools/bin:$PATH
