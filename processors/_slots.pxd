"""How compiled code reaches the fields of a Struct: see `processors/_core.pyx`."""

cdef extern from *:
    """
    #include <structmember.h>

    /* Where in a Struct a field lies; -1: the descriptor is of another kind. */
    static Py_ssize_t place_of(PyObject *descriptor) {
        if (!PyObject_TypeCheck(descriptor, &PyMemberDescr_Type)) return -1;
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }

    static inline PyObject *field(PyObject *struct_, Py_ssize_t place) {
        PyObject *value = *(PyObject **)((char *)struct_ + place);
        if (value == NULL) PyErr_SetString(PyExc_AttributeError, "a Struct has a field without a value");
        return Py_XNewRef(value);
    }

    /* Only ints, floats, strs and bytes: see `_core.pyx`. */
    static inline void put_field(PyObject *struct_, Py_ssize_t place, PyObject *value) {
        PyObject **at = (PyObject **)((char *)struct_ + place), *before = *at;
        *at = Py_NewRef(value);
        Py_XDECREF(before);
    }

    /* A field that holds bytes gets some more. Nobody else holds them, mostly: then they grow where they lie. */
    static int append(PyObject *struct_, Py_ssize_t place, PyObject *more) {
        PyObject **at = (PyObject **)((char *)struct_ + place), *before = *at;
        Py_ssize_t size = PyBytes_GET_SIZE(before), many = PyBytes_GET_SIZE(more);
        if (Py_REFCNT(before) != 1) {
            PyObject *after = PyBytes_FromStringAndSize(NULL, size + many);
            if (after == NULL) return -1;
            memcpy(PyBytes_AS_STRING(after), PyBytes_AS_STRING(before), size);
            *at = after;
            Py_DECREF(before);
        } else if (_PyBytes_Resize(at, size + many) < 0) {
            return -1;
        }
        memcpy(PyBytes_AS_STRING(*at) + size, PyBytes_AS_STRING(more), many);
        return 0;
    }

    #define IS(value, class_) (Py_TYPE(value) == (PyTypeObject *)(class_))
    #define IS_KIND_OF(value, class_) PyObject_TypeCheck(value, (PyTypeObject *)(class_))
    """
    Py_ssize_t place_of(object descriptor)
    object field(object, Py_ssize_t place)
    void put_field(object, Py_ssize_t place, object value)
    int append(object, Py_ssize_t place, bytes more) except -1
    bint IS(object, object)
    bint IS_KIND_OF(object, object)


cdef inline Py_ssize_t place(struct, str name) except -1:
    at = place_of(getattr(struct, name))
    if at < 0:
        raise ImportError(f"wanted a slot for {struct.__name__}.{name}, got another way of keeping it")
    return at


cdef inline object sure(object value, object class_):
    """The value, of that class: else what lies where its fields would be is nobody's. Raises TypeError."""
    if not IS(value, class_):
        raise TypeError(f"wanted {class_.__name__}, got {value!r}")
    return value
