namespace R1Serverless.Models.Layouts;

/// <summary>Reads the types of a graph's inputs and outputs: ValueInfoProto, with the ONNX standard's field numbers.</summary>
internal static class OnnxValues
{
    public static OnnxValue Read(ProtobufReader reader, long end)
    {
        var value = new OnnxValue("", null, null);
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) value = value with { Name = reader.Text() };
            else if (field == 2) value = ReadType(reader, reader.Enter(), value);
            else reader.Skip();
        }

        return value;
    }

    /// <summary>TypeProto, of which only a dense tensor is read.</summary>
    private static OnnxValue ReadType(ProtobufReader reader, long end, OnnxValue value)
    {
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) value = ReadTensor(reader, reader.Enter(), value);
            else reader.Skip();
        }

        return value;
    }

    private static OnnxValue ReadTensor(ProtobufReader reader, long end, OnnxValue value)
    {
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) value = value with { ElementType = (int)reader.Integer() };
            else if (field == 2) value = value with { Dimensions = ReadShape(reader, reader.Enter()) };
            else reader.Skip();
        }

        return value;
    }

    private static List<OnnxDimension> ReadShape(ProtobufReader reader, long end)
    {
        List<OnnxDimension> dimensions = [];
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) dimensions.Add(ReadDimension(reader, reader.Enter()));
            else reader.Skip();
        }

        return dimensions;
    }

    private static OnnxDimension ReadDimension(ProtobufReader reader, long end)
    {
        var dimension = new OnnxDimension(null, "");
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) dimension = dimension with { Size = reader.Integer() is >= 0 and var size ? size : null };
            else if (field == 2) dimension = dimension with { Symbol = reader.Text() };
            else reader.Skip();
        }

        return dimension;
    }
}
